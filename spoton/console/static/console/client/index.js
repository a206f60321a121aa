// SpotOn in a web page: signing in, all operations, sockets that come back. Needs nothing else; see docs/CLIENTS.md.

export { all, Api } from "./api.js";
export { applied } from "./delta.js";
export { parseFrame } from "./frames.js";
export { ApiError } from "./request.js";
export { Session } from "./session.js";
export { CLOSE, ReconnectingSocket } from "./socket.js";
