/** Requests to the studio. Every failure is an ApiError with a sentence, or Offline. */

export const BASE = "/api/v1";

/** What the studio answered instead of what was asked for. */
export class ApiError extends Error {
  constructor(status, body, retryAfter) {
    super(body.error || `The studio answered with error ${status}.`);
    this.status = status;
    this.hint = body.hint || "";
    // Messages about a setting begin with its name.
    this.field = body.field || /^([a-z_]+(?:\.[a-z_]+)?):/.exec(this.message)?.[1] || "";
    this.pointer = body.pointer || null;
    this.requestId = body.request_id || "";
    this.retryAfter = retryAfter;
  }
}

/** The studio could not be reached at all. */
export class Offline extends Error {
  constructor() {
    super("The studio cannot be reached.");
    this.hint = "What you typed is kept. Try again when the connection is back.";
  }
}

/** Hears of every answer (true) and of every silence (false). */
export const reach = new EventTarget();

function told(reached) {
  reach.dispatchEvent(new CustomEvent("reach", { detail: reached }));
}

/** Ask for a path below the API's base; return what the JSON says. */
export async function ask(path, { method = "GET", json, body, headers = {}, signal } = {}) {
  const options = { method, signal, headers: { Accept: "application/json", ...headers } };
  if (method !== "GET") options.headers["X-Text2Art"] = "1";
  if (json !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(json);
  } else if (body !== undefined) {
    options.body = body;
  }
  let response;
  try {
    response = await fetch(path.startsWith("/") ? BASE + path : path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    told(false);
    throw new Offline();
  }
  told(response.status !== 502 && response.status !== 504);
  const answer = await readJson(response);
  if (!response.ok) {
    throw new ApiError(response.status, answer, Number(response.headers.get("Retry-After")) || 0);
  }
  return answer;
}

async function readJson(response) {
  if (response.status === 204) return {};
  try {
    return await response.json();
  } catch {
    return {};
  }
}

const of = (id) => `/jobs/${encodeURIComponent(id)}`;
const query = (values) => {
  const given = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return given.length ? `?${new URLSearchParams(given)}` : "";
};

export const api = {
  me: () => ask("/me"),
  settings: () => ask("/settings"),
  styles: () => ask("/styles"),
  palettes: () => ask("/palettes"),
  health: () => ask("/health"),
  readPalette: (palette, signal) => ask("/palettes/read", { method: "POST", json: { palette }, signal }),
  readPrompt: (prompts, signal) => ask("/prompt", { method: "POST", json: { prompts }, signal }),
  submit: (settings, key) => ask("/jobs", { method: "POST", json: settings, headers: { "Idempotency-Key": key } }),
  jobs: (values = {}) => ask(`/jobs${query(values)}`),
  job: (id) => ask(of(id)),
  cancel: (id) => ask(`${of(id)}?mode=cancel`, { method: "DELETE" }),
  remove: (id) => ask(`${of(id)}?mode=delete`, { method: "DELETE" }),
  undelete: (id) => ask(`${of(id)}/undelete`, { method: "POST" }),
  retry: (id) => ask(`${of(id)}/retry`, { method: "POST" }),
  goOn: (id, settings, key) => ask(`${of(id)}/continue`, { method: "POST", json: settings, headers: { "Idempotency-Key": key } }),
  like: (id, on) => ask(`${of(id)}/like`, { method: on ? "POST" : "DELETE" }),
  publish: (id, on) => ask(`${of(id)}/publish`, { method: on ? "POST" : "DELETE" }),
  hide: (id, on) => ask(`${of(id)}/hide`, { method: on ? "POST" : "DELETE" }),
  gallery: (values = {}, signal) => ask(`/gallery${query(values)}`, { signal }),
  letters: () => ask("/admin/mail"),
  sendLetter: (id) => ask(`/admin/mail/${encodeURIComponent(id)}/send`, { method: "POST" }),
  pause: (on) => ask(`/admin/${on ? "pause" : "resume"}`, { method: "POST" }),
  upload: (file) => ask("/uploads", { method: "POST", body: form(file) }),
  uploadFrom: (url) => ask("/uploads", { method: "POST", json: { url } }),
  recall: (file) => ask("/recall", { method: "POST", body: form(file) }),
};

function form(file) {
  const data = new FormData();
  data.append("file", file, file.name || "picture.png");
  return data;
}
