// The binary message of /ws/frames: 4-byte big-endian length of a JSON header, the header, the encoded image.

const TYPES = { jpeg: "image/jpeg", jpg: "image/jpeg", webp: "image/webp", png: "image/png" };

/**
 * @param {ArrayBuffer} buffer one message
 * @returns {{header: object, blob: Blob}}
 * @throws {RangeError} when it is not such a message
 */
export function parseFrame(buffer) {
  if (buffer.byteLength < 5) throw new RangeError("frame message is too short");
  const length = new DataView(buffer).getUint32(0);
  if (length > buffer.byteLength - 4) throw new RangeError("frame header reaches beyond its message");
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const blob = new Blob([new Uint8Array(buffer, 4 + length)], { type: TYPES[header.format] ?? "image/jpeg" });
  return { header, blob };
}
