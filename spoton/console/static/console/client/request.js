// One request to SpotOn: its envelope taken off, its errors made one kind.

const TIMEOUT_MS = 20_000;

/** What the server (or the way to it) answered, in words for the user. `code` is the stable name. */
export class ApiError extends Error {
  constructor(status, code, message, details = {}, requestId = "") {
    super(message);
    Object.assign(this, { status, code, details, requestId });
  }
}

/**
 * @param url absolute, or of this page's origin
 * @param options.body an object, sent as JSON; as a form when one of its values is a Blob
 * @param options.answer "json": the whole envelope; "blob"; "response": the answer itself, for streams
 * @throws {ApiError} status 0, code `unreachable` when there is no answer
 */
export async function request(url, { method = "GET", body, token, answer = "json" } = {}) {
  const headers = { Accept: answer === "json" ? "application/json" : "*/*" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const content = contentOf(body);
  if (typeof content === "string") headers["Content-Type"] = "application/json";
  const signal = answer === "response" ? undefined : AbortSignal.timeout(TIMEOUT_MS);
  try {
    const response = await fetch(url, { method, headers, body: content, credentials: "omit", signal });
    if (response.status === 204) return null;
    if (response.ok && answer === "response") return response;
    if (response.ok && answer === "blob") return await response.blob();
    const told = await response.json().catch(() => null);
    if (response.ok && told?.success) return told;
    throw errorOf(response, told);
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError(0, "unreachable", "SpotOn cannot be reached. Check that it is running and that you are online, then try again.");
  }
}

function contentOf(body) {
  if (body === undefined) return undefined;
  const fields = Object.entries(body);
  if (!fields.some(([, value]) => value instanceof Blob)) return JSON.stringify(body);
  const form = new FormData();
  for (const [name, value] of fields) for (const one of [value].flat()) form.append(name, one);
  return form;
}

function errorOf(response, told) {
  const { status } = response;
  const error = told?.error;
  if (status === 429) {
    const wait = Number(response.headers.get("Retry-After"));
    const when = wait > 0 ? `in ${wait} s` : "in a minute";
    return new ApiError(status, "throttled", `Too many attempts. Try again ${when}.`, error?.details, told?.request_id);
  }
  if (error?.message) return new ApiError(status, error.code, error.message, error.details, told.request_id);
  return new ApiError(status, "server_error", `SpotOn answered with an unexpected error (${status}). Try again; if it stays, ask an administrator to look at the log.`);
}
