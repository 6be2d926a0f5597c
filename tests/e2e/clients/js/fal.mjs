// The npm package @fal-ai/client, unmodified, by each of its three ways to another address. Prints what it saw as JSON.
import { readFileSync, writeFileSync } from "node:fs";
import { createFalClient } from "@fal-ai/client";

const [gate, credentials, photo, output, unfinished, cancelled, failed] = process.argv.slice(2);
const endpoint = "xai/grok-imagine-video/reference-to-video";
const picture = () => new Blob([readFileSync(photo)], { type: "image/jpeg" });
const input = (more) => ({
  prompt: "slow push in",
  reference_image_urls: [picture()],
  duration: 1,
  resolution: "480p",
  ...more,
});
const here = (url) =>
  String(url)
    .replace("https://queue.fal.run", `${gate}/queue`)
    .replace("https://fal.run", `${gate}/run`)
    .replace("https://rest.fal.ai", `${gate}/rest`);
const ways = {
  proxy: createFalClient({ credentials, proxyUrl: { url: `${gate}/proxy`, when: "always" } }),
  middleware: createFalClient({
    credentials,
    requestMiddleware: async (request) => ({ ...request, url: here(request.url) }),
  }),
  fetch: createFalClient({ credentials, fetch: (url, init) => fetch(here(url), init) }),
};
const failure = async (promise) => {
  try {
    await promise;
    return { name: "none" };
  } catch (error) {
    return { name: error.name, status: error.status, message: error.message, detail: error.body?.detail };
  }
};
const fal = ways.proxy;
const seen = {};

seen.notReady = await failure(fal.queue.result(endpoint, { requestId: unfinished })); // first: it is soon over

for (const [way, fal] of Object.entries(ways)) {
  const updates = [];
  const result = await fal.subscribe(endpoint, {
    input: input(),
    logs: true,
    pollInterval: 100,
    mode: way === "fetch" ? "streaming" : "polling",
    onQueueUpdate: (update) => updates.push(update),
  });
  const file = await fetch(result.data.video.url);
  writeFileSync(`${output}-${way}.mp4`, Buffer.from(await file.arrayBuffer()));
  const last = updates.at(-1);
  seen[way] = {
    requestId: result.requestId === last.request_id && result.requestId.length > 0,
    words: [...new Set(updates.map((update) => update.status))].filter((word) => word !== "IN_QUEUE"),
    logs: last.logs.map((line) => line.message).filter((text) => ["queued", "preparing", "completed 100%"].includes(text)),
    type: file.headers.get("content-type"),
  };
}

const { data } = await ways.middleware.run(endpoint, { input: input() });
seen.run = data.video.content_type;
const big = new Blob([readFileSync(photo)], { type: "image/jpeg" });
const uploaded = await fal.storage.upload(big, { lifecycle: { expiresIn: "1h" } });
seen.upload = (await fetch(uploaded)).headers.get("content-type");
const stream = await ways.middleware.stream(endpoint, { input: { ...input(), reference_image_urls: [uploaded] } });
seen.stream = Object.keys(await stream.done());
seen.refused = await failure(fal.queue.submit(endpoint, { input: input({ duration: 99 }) }));
seen.unknown = await failure(fal.queue.submit("fal-ai/no-such-thing", { input: {} }));
seen.cancelled = await failure(fal.queue.result(endpoint, { requestId: cancelled }));
seen.failed = await failure(fal.queue.result(endpoint, { requestId: failed }));
seen.cancelTwice = await failure(fal.queue.cancel(endpoint, { requestId: failed }));
const one = await fal.queue.submit(endpoint, { input: input({ duration: 15 }), priority: "low", startTimeout: 600 });
await fal.queue.cancel(endpoint, { requestId: one.request_id });
seen.ended = (await fal.queue.status(endpoint, { requestId: one.request_id })).error_type;
const wrongKey = createFalClient({ credentials: "no", requestMiddleware: async (r) => ({ ...r, url: here(r.url) }) });
seen.wrongKey = await failure(wrongKey.queue.submit(endpoint, { input: { prompt: "x" } }));
console.log(JSON.stringify(seen));
