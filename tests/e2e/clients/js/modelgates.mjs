// What ModelGates' users write: plain fetch, the polling address resolved against the host, the bytes with the key.
import { writeFile } from "node:fs/promises";

const [base, key, image, relative, output] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };

const submitted = await fetch(`${base}/videos`, {
  method: "POST",
  headers,
  body: JSON.stringify({
    model: "google/veo-3.1",
    prompt: "slow push in",
    duration: 4,
    frame_images: [{ type: "image_url", frame_type: "first_frame", image_url: { url: image } }],
  }),
});
if (!submitted.ok) throw new Error(`submit: ${submitted.status}`);
const { id, polling_url } = await submitted.json();
const address = relative === "relative" ? new URL(polling_url).pathname : polling_url;
const pollingUrl = new URL(address, new URL(base).origin);

let job;
do {
  const polled = await fetch(pollingUrl, { headers });
  if (!polled.ok) throw new Error(`poll: ${polled.status}`);
  job = await polled.json();
} while (!["completed", "failed", "cancelled", "expired"].includes(job.status));
if (job.status !== "completed") throw new Error(job.error);

const content = job.unsigned_urls?.[0] ?? `${base}/videos/${id}/content?index=0`;
const video = await fetch(content, { headers });
const direct = await fetch(`${base}/videos/${id}/content?index=0`, { headers });
await writeFile(output, Buffer.from(await video.arrayBuffer()));

const refused = await fetch(`${base}/videos`, {
  method: "POST",
  headers,
  body: JSON.stringify({ model: "google/veo-3.1", prompt: "x", duration: 7 }),
});
console.log(
  JSON.stringify({
    submitted: submitted.status,
    types: [video.headers.get("content-type"), direct.headers.get("content-type")],
    refused: [refused.status, (await refused.json()).error.message],
  }),
);
