// A person's colour and short name: pure functions of the global id, so that every view, the map, the list
// and every other browser agree without talking to each other.

const HUES = 36;
const LIGHTNESS = [0.84, 0.75, 0.66]; // all are readable under dark ink and stand out on footage
const known = new Map(); // asked for on every frame

/** 32-bit FNV-1a hash of a string. */
export function hash(text) {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    h ^= text.charCodeAt(i);
    h = Math.imul(h, 0x01000193);
  }
  // FNV's low bits change little between similar ids; mix them
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}

/** "#rrggbb" of a person; without an id (not yet identified) a neutral grey. */
export function colourOf(globalId) {
  if (!globalId) return "#c3ccd4";
  let colour = known.get(globalId);
  if (!colour) {
    if (known.size > 2000) known.clear();
    known.set(globalId, (colour = computeColour(globalId)));
  }
  return colour;
}

function computeColour(globalId) {
  const h = hash(globalId.toLowerCase());
  const hue = ((h % HUES) * 360) / HUES;
  return oklch(LIGHTNESS[Math.floor(h / HUES) % LIGHTNESS.length], 0.15, hue);
}

/** "P-3F2A" from the first four digits of the id, so that it can be found in exports and addresses. */
export function nameOf(globalId) {
  return globalId ? `P-${globalId.replaceAll("-", "").slice(0, 4).toUpperCase()}` : "unnamed";
}

/** OKLCH (lightness 0..1, chroma, hue in degrees) to "#rrggbb"; chroma is reduced until sRGB can show it. */
export function oklch(lightness, chroma, hue) {
  for (let c = chroma; c > 0; c -= 0.01) {
    const rgb = oklchToLinear(lightness, c, hue);
    if (rgb.every((v) => v >= -0.001 && v <= 1.001)) return toHex(rgb);
  }
  return toHex(oklchToLinear(lightness, 0, hue));
}

// Björn Ottosson's OKLab, https://bottosson.github.io/posts/oklab/
function oklchToLinear(L, c, hue) {
  const a = c * Math.cos((hue * Math.PI) / 180);
  const b = c * Math.sin((hue * Math.PI) / 180);
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

function toHex(linear) {
  const channel = (v) => {
    const x = Math.min(1, Math.max(0, v));
    const encoded = x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055;
    return Math.round(encoded * 255).toString(16).padStart(2, "0");
  };
  return `#${linear.map(channel).join("")}`;
}
