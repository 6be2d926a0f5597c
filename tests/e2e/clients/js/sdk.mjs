// The npm package @openrouter/sdk, unmodified. Prints what it saw as JSON.
import { writeFileSync } from "node:fs";
import { OpenRouter } from "@openrouter/sdk";

const [serverURL, apiKey, asset, unfinished, cancelled, output] = process.argv.slice(2);
const { videoGeneration } = new OpenRouter({ apiKey, serverURL, retryConfig: { strategy: "none" } });
const request = (more) => ({
  videoGenerationRequest: {
    model: "framegate/animatic",
    prompt: "slow push in",
    inputReferences: [{ type: "image_url", imageUrl: { url: asset } }],
    ...more,
  },
});
const failure = async (promise) => {
  try {
    await promise;
    return { name: "none" };
  } catch (error) {
    return { name: error.name, status: error.statusCode, message: error.message };
  }
};

const notReady = await failure(videoGeneration.getVideoContent({ jobId: unfinished }));
const models = await videoGeneration.listVideosModels();
let job = await videoGeneration.generate(request({ duration: 1, resolution: "360p", aspectRatio: "16:9" }));
while (["pending", "in_progress"].includes(job.status)) {
  job = await videoGeneration.getGeneration({ jobId: job.id });
}
const stream = await videoGeneration.getVideoContent({ jobId: job.id, index: 0 });
writeFileSync(output, Buffer.from(await new Response(stream).arrayBuffer()));
const direct = await fetch(job.unsignedUrls[0]);

console.log(
  JSON.stringify({
    models: models.data.map((model) => model.id),
    status: job.status,
    cost: job.usage.cost,
    direct: [direct.status, direct.headers.get("content-type")],
    refused: await failure(videoGeneration.generate(request({ duration: 999 }))),
    unknown: await failure(videoGeneration.getGeneration({ jobId: "unknown" })),
    notReady,
    cancelled: (await videoGeneration.getGeneration({ jobId: cancelled })).status,
  }),
);
