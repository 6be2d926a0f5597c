// @ai-sdk/fal and @openrouter/ai-sdk-provider without any base URL: by the services' own names.
import { createFal } from "@ai-sdk/fal";
import { createOpenRouter } from "@openrouter/ai-sdk-provider";
import {
  experimental_generateVideo as generateVideo,
  experimental_getVideoStatus as getVideoStatus,
  experimental_startVideo as startVideo,
} from "ai";

const [apiKey, image, endpoint] = process.argv.slice(2);
const model = createFal({ apiKey }).video(endpoint);
const prompt = { image, text: "slow push in" };
const { operation } = await startVideo({ model, prompt, duration: 1, providerOptions: { fal: { resolution: "480p" } } });
let status = { status: "pending" };
while (status.status === "pending") status = await getVideoStatus(model, { operation });
const file = await fetch(status.videos[0].url);
const openrouter = createOpenRouter({ apiKey });
const { video } = await generateVideo({
  model: openrouter.videoModel("framegate/animatic", { pollIntervalMs: 100 }),
  prompt: "slow push in",
  duration: 1,
  resolution: "640x360",
});
console.log(JSON.stringify({ fal: file.headers.get("content-type"), openrouter: video.mediaType }));
