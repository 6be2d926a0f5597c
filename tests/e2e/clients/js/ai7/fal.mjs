// The npm packages ai (version 7) and @ai-sdk/fal, unmodified: start, status, and generate, through fal's proxy.
import { writeFileSync } from "node:fs";
import { createFal } from "@ai-sdk/fal";
import {
  experimental_generateVideo as generateVideo,
  experimental_getVideoStatus as getVideoStatus,
  experimental_startVideo as startVideo,
} from "ai";

const [gate, apiKey, picture, output, endpoint] = process.argv.slice(2);
const requests = [];
let lostAnswers = 0; // of creates, after they reached the gateway
const throughProxy = async (url, init) => {
  const headers = new Headers(init.headers);
  requests.push({ method: init.method ?? "GET", url: String(url), key: headers.get("idempotency-key") });
  headers.set("x-fal-target-url", String(url));
  const answer = await fetch(`${gate}/fal/proxy`, { ...init, headers });
  if (init.method === "POST" && lostAnswers-- > 0) {
    await answer.body?.cancel();
    throw new TypeError("fetch failed", { cause: new Error("other side closed") });
  }
  return answer;
};
const fal = createFal({ apiKey, fetch: throughProxy });
const model = fal.video(endpoint);
const wanted = { model, prompt: { image: picture, text: "slow push in" }, duration: 1, providerOptions: { fal: { resolution: "480p" } } };
// The SDK's own download refuses loopback addresses.
const download = async ({ url }) => {
  const answer = await fetch(url);
  return { data: new Uint8Array(await answer.arrayBuffer()), mediaType: answer.headers.get("content-type") };
};
const failure = async (promise) => {
  try {
    await promise;
    return "none";
  } catch (error) {
    return String(error.message);
  }
};

const seen = {};
const started = await startVideo(wanted);
let status = { status: "pending" };
while (status.status === "pending") {
  status = await getVideoStatus(model, { operation: JSON.parse(JSON.stringify(started.operation)) });
}
seen.status = status.status;
const file = await fetch(status.videos[0].url);
writeFileSync(output, Buffer.from(await file.arrayBuffer()));
seen.mediaType = file.headers.get("content-type");
seen.origins = [...new Set(requests.map(({ url }) => new URL(url).origin))];

const { video } = await generateVideo({ ...wanted, download, poll: { intervalMs: 50 } });
seen.generated = video.mediaType;

requests.length = 0;
lostAnswers = 1;
const again = await startVideo({ ...wanted, maxRetries: 2 });
const posts = requests.filter(({ method }) => method === "POST");
seen.repeated = { posts: posts.length, keys: new Set(posts.map(({ key }) => key)).size, hasKey: Boolean(posts[0].key) };
seen.repeatedOperation = again.operation.responseUrl.split("/").at(-1);

seen.refused = await failure(startVideo({ ...wanted, duration: 99, maxRetries: 0 }));
console.log(JSON.stringify(seen));
