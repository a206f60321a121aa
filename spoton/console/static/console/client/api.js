// The REST interface: every operation of the OpenAPI document by its name, as this session's user.

import { Operations } from "./operations.js";
import { request } from "./request.js";

/**
 * `new Api(session).environmentsRetrieve({ env_id: "campus" })`: one object holds what stands in the path, in the query
 * and in the body. Lists are asynchronous iterables over all pages, pictures are Blobs, streams are Responses.
 */
export class Api extends Operations {
  constructor(session) {
    super();
    this.session = session;
  }

  /** What all operations go through. @param {{query?: string[]}} options names of query parameters beside a body */
  call(answer, method, template, params, { query: alsoQuery = [] } = {}) {
    const inPath = new Set();
    const path = template.replace(/{(\w+)}/g, (_, name) => {
      inPath.add(name);
      if (params[name] === undefined) throw new TypeError(`${name} is missing for ${method} ${template}`);
      return encodeURIComponent(params[name]);
    });
    const rest = Object.entries(params).filter(([name, value]) => !inPath.has(name) && value !== undefined);
    const sendsBody = !["GET", "DELETE"].includes(method);
    const [query, body] = [[], []];
    for (const entry of rest) (sendsBody && !alsoQuery.includes(entry[0]) ? body : query).push(entry);
    const options = { method, body: sendsBody ? Object.fromEntries(body) : undefined };
    const url = (more = {}) => {
      const said = new URLSearchParams([...query, ...Object.entries(more)]).toString();
      return said ? `${path}?${said}` : path;
    };
    if (answer === "pages") return this.#pages(url, options);
    if (answer === "parts") return this.#authorised(url(), { ...options, answer: "response" });
    if (answer === "bytes") return this.#authorised(url(), { ...options, answer: "blob" });
    return this.#authorised(url(), options).then((told) => told?.data ?? null);
  }

  /** A picture at an address that SpotOn told, as a Blob. */
  image = (path) => this.#authorised(path, { answer: "blob" });

  async *#pages(url, options) {
    let more = {};
    while (more) {
      const { data, meta } = await this.#authorised(url(more), options);
      yield* data;
      const { next } = meta.pagination;
      more = next && { cursor: new URL(next, "http://any").searchParams.get("cursor") };
    }
  }

  async #authorised(path, options) {
    const url = this.session.url(path);
    const token = await this.session.accessToken();
    try {
      return await request(url, { ...options, token });
    } catch (error) {
      if (error.status !== 401) throw error;
      await this.session.renew(token);
      return request(url, { ...options, token: await this.session.accessToken() });
    }
  }
}

/** All items of an asynchronous iterable, as an array. */
export async function all(items) {
  const found = [];
  for await (const item of items) found.push(item);
  return found;
}
