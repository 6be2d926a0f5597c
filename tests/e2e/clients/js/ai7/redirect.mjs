// Loaded first: connections to the services' names go to a proxy on this machine, as DNS would send them.
import { createRequire } from "node:module";

const tls = createRequire(import.meta.url)("node:tls");
const names = /(^|\.)(fal\.run|fal\.ai|fal\.media|openrouter\.ai)$/;
const { connect } = tls;
tls.connect = (options, ...rest) =>
  names.test(options.servername ?? options.host ?? "")
    ? connect({ ...options, host: "127.0.0.1", port: Number(process.env.PROXY_PORT) }, ...rest)
    : connect(options, ...rest);
