// The npm packages ai (version 7) and @openrouter/ai-sdk-provider, unmodified. Prints what they saw as JSON.
import { writeFileSync } from "node:fs";
import { createOpenRouter } from "@openrouter/ai-sdk-provider";
import { experimental_generateVideo as generateVideo } from "ai";

const [baseURL, apiKey, picture, output] = process.argv.slice(2);
const keys = [];
const watched = (url, init) => {
  const { method, headers } = init ?? {};
  if (method === "POST") keys.push(new Headers(headers).get("idempotency-key"));
  return fetch(url, init);
};
const openrouter = createOpenRouter({ apiKey, baseURL, fetch: watched });
// The SDK's own download refuses loopback addresses.
const download = async ({ url }) => {
  const answer = await fetch(url);
  return { data: new Uint8Array(await answer.arrayBuffer()), mediaType: answer.headers.get("content-type") };
};
const { video } = await generateVideo({
  model: openrouter.videoModel("framegate/animatic", { pollIntervalMs: 100 }),
  prompt: "slow push in",
  duration: 1,
  resolution: "640x360",
  download,
  providerOptions: { openrouter: { input_references: [{ type: "image_url", image_url: { url: picture } }] } },
});
writeFileSync(output, video.uint8Array);
console.log(JSON.stringify({ mediaType: video.mediaType, posts: keys.length, hasKey: keys.every(Boolean) }));
