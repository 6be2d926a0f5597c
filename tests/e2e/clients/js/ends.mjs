// The npm packages @openrouter/sdk and @fal-ai/client, unmodified, shown jobs that ended without a video.
import { OpenRouter } from "@openrouter/sdk";
import { fal } from "@fal-ai/client";

const [gate, apiKey, failed, expired] = process.argv.slice(2);
const { videoGeneration } = new OpenRouter({ apiKey, serverURL: `${gate}/api/v1`, retryConfig: { strategy: "none" } });
fal.config({ credentials: apiKey, proxyUrl: { url: `${gate}/fal/proxy`, when: "always" } });
const failure = async (promise) => {
  try {
    await promise;
    return { name: "none" };
  } catch (error) {
    return { name: error.name, status: error.statusCode ?? error.status, message: error.message };
  }
};

const seen = {};
for (const [name, jobId] of Object.entries({ failed, expired })) {
  const job = await videoGeneration.getGeneration({ jobId });
  seen[name] = {
    status: job.status,
    error: job.error,
    content: await failure(videoGeneration.getVideoContent({ jobId })),
    fal: await failure(fal.queue.result("framegate/animatic", { requestId: jobId })),
  };
}
console.log(JSON.stringify(seen));
