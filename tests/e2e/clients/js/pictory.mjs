// What Pictory's users write: fetch with the raw key, poll the job, take the file from its address without the key.
import { writeFile } from "node:fs/promises";

const [base, key, image, output] = process.argv.slice(2);
const headers = { Authorization: key, "Content-Type": "application/json" };

async function createVideo(body) {
  const response = await fetch(`${base}/v1/aistudio/videos`, { method: "POST", headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${response.status} ${answer.code}: ${answer.message}`);
  return answer.data.jobId;
}

async function waitForJob(jobId) {
  for (;;) {
    const answer = await (await fetch(`${base}/v1/jobs/${jobId}`, { headers })).json();
    if (answer.data.status === "completed") return answer.data;
    if (answer.data.status !== "in-progress") throw new Error(`${answer.data.error_code}: ${answer.data.error_message}`);
  }
}

const first = await waitForJob(await createVideo({ prompt: "slow push in", referenceImageUrls: [image] }));
const video = await fetch(first.url);
await writeFile(output, Buffer.from(await video.arrayBuffer()));
const lastFrame = await fetch(first.lastFrameImageUrl);
let refusal;
try {
  await createVideo({ prompt: "slow push in", firstFrameImageUrl: image, referenceImageUrls: [image] });
} catch (error) {
  refusal = error.message;
}
console.log(
  JSON.stringify({
    duration: first.duration,
    credits: first.aiCreditsUsed,
    types: [video.headers.get("content-type"), lastFrame.headers.get("content-type")],
    refusal,
  }),
);
