/** The jobs that the page knows, kept up to date by answers and events. */

import { api, ask } from "./api.js";

export const jobs = new Map();
const bus = new EventTarget();
const OVER = new Set(["done", "failed", "canceled"]);

export const isOver = (job) => OVER.has(job.state);

/** Call `listener(job, what)` at every change; return what ends that. */
export function onJob(listener) {
  const heard = (event) => listener(event.detail.job, event.detail.what);
  bus.addEventListener("job", heard);
  return () => bus.removeEventListener("job", heard);
}

function tell(job, what) {
  bus.dispatchEvent(new CustomEvent("job", { detail: { job, what } }));
}

/** Take over a job as an answer of the studio has it; frames that it leaves out are kept. */
export function put(answer) {
  const known = jobs.get(answer.id);
  const job = { ...known, ...answer };
  job.frames = merged(known?.frames ?? [], answer.frames ?? []);
  job.curve = known?.curve ?? [];
  jobs.set(job.id, job);
  tell(job, known && known.state !== job.state ? "state" : "job");
  return job;
}

/** Forget a job that was deleted. */
export function drop(id) {
  const job = jobs.get(id);
  if (!job) return;
  jobs.delete(id);
  tell({ ...job, gone: true }, "gone");
}

let turn = 0;
const answered = new Map();

/** Ask how a job stands. An answer that a later question's has overtaken is of no use any more. */
async function look(id) {
  const mine = (turn += 1);
  const answer = await api.job(id);
  if (mine < (answered.get(id) ?? 0) && jobs.has(id)) return jobs.get(id);
  answered.set(id, mine);
  return put(answer);
}

/** Fetch a job with all its frames, and the points of its curve. */
export async function fetchJob(id) {
  const job = await look(id);
  await fetchCurve(job);
  return jobs.get(id) ?? job;
}

async function fetchCurve({ id, curve, mine }) {
  if (curve.length || !mine) return;
  // Events are the curve's only record; without them the picture is no worse.
  let after = 0;
  for (let page = 0; page < 20; page += 1) {
    const answer = await ask(`/jobs/${id}/events?after=${after}`).catch(() => ({ events: [] }));
    const job = jobs.get(id); // as it stands now: meanwhile it went on
    if (!job) return;
    for (const event of answer.events) takePoint(job, event);
    if (!answer.events.length || answer.next === after) break;
    after = answer.next;
  }
  tell(jobs.get(id), "score");
}

/** Take over what happened to a job. */
export function apply(event) {
  const job = jobs.get(event.job_id);
  if (!job || event.type === "state") {
    refresh(event.job_id);
    return;
  }
  const data = event.data;
  if (event.type === "frame") {
    job.frames = merged(job.frames, [{ step: data.step, url: data.url }]);
    if (data.width) [job.width, job.height] = [data.width, data.height];
    job.preview = job.frames.at(-1).url;
    tell(job, "frame");
  } else if (event.type === "score") {
    takePoint(job, event);
    tell(job, "score");
  } else if (event.type === "progress" && !isOver(job)) {
    Object.assign(job, data);
    tell(job, "progress");
  } else if (event.type === "log" || event.type === "notice") {
    job.said = data.text;
    tell(job, event.type);
  }
}

function takePoint(job, event) {
  if (event.type !== "score" || event.data.score === null) return;
  const { step, score } = event.data;
  if (job.curve.length && job.curve.at(-1).step >= step) {
    job.curve = job.curve.filter((point) => point.step < step); // begun again after a crash
  }
  job.curve.push({ step, score });
}

const waiting = new Map();

/** Ask again how a job stands; several wishes in a moment are one request. */
export function refresh(id) {
  if (waiting.has(id)) return waiting.get(id);
  const asked = new Promise((resolve) => setTimeout(resolve, 30)).then(async () => {
    waiting.delete(id);
    try {
      return await look(id);
    } catch (error) {
      if (error.status === 404) drop(id);
      return null;
    }
  });
  waiting.set(id, asked);
  return asked;
}

/** Ask where my waiting jobs stand: others' come and go without an event of mine. */
export async function refreshWaiting() {
  if (document.hidden || !active().some((job) => job.state === "queued")) return;
  const { jobs: waits } = await api.jobs({ state: "queued", limit: 100 });
  waits.forEach(put);
}

function merged(known, more) {
  if (!more.length) return known;
  const byStep = new Map(known.map((frame) => [frame.step, frame]));
  for (const frame of more) byStep.set(frame.step, frame);
  return [...byStep.values()].sort((a, b) => a.step - b.step);
}

/** Return my jobs that are not over, those that run first, then as the queue will take them. */
export function active() {
  const going = [...jobs.values()].filter((job) => job.mine && !isOver(job));
  const place = (job) => (job.state === "running" ? 0 : job.position ?? 1e9);
  return going.sort((a, b) => place(a) - place(b) || a.created - b.created);
}
