// The npm packages ai and @openrouter/ai-sdk-provider, unmodified. Prints what they saw as JSON.
import { writeFileSync } from "node:fs";
import { createOpenRouter } from "@openrouter/ai-sdk-provider";
import { experimental_generateVideo as generateVideo } from "ai";

const [baseURL, apiKey, asset, output] = process.argv.slice(2);
const openrouter = createOpenRouter({ apiKey, baseURL });
// The SDK's own download refuses loopback addresses; this one sends no key either.
const download = async ({ url }) => {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`download: ${answer.status}`);
  return { data: new Uint8Array(await answer.arrayBuffer()), mediaType: answer.headers.get("content-type") };
};
const generate = (more) =>
  generateVideo({
    model: openrouter.videoModel("framegate/animatic", { pollIntervalMs: 100 }),
    prompt: "slow push in",
    maxRetries: 0,
    download,
    providerOptions: { openrouter: { input_references: [{ type: "image_url", image_url: { url: asset } }] } },
    ...more,
  });
const failure = async (promise) => {
  try {
    await promise;
    return "none";
  } catch (error) {
    return String(error.message);
  }
};

const { video } = await generate({ duration: 1, resolution: "640x360" });
writeFileSync(output, video.uint8Array);
console.log(JSON.stringify({ mediaType: video.mediaType, refused: await failure(generate({ duration: 999 })) }));
