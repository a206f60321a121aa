// Numbers and times as people read them. Times are shown in the environment's zone.

const cache = new Map();

function formatter(timeZone, options) {
  const key = timeZone + JSON.stringify(options);
  if (!cache.has(key)) {
    let made;
    try {
      made = new Intl.DateTimeFormat("en-GB", { timeZone, hourCycle: "h23", ...options });
    } catch {
      made = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", hourCycle: "h23", ...options });
    }
    cache.set(key, made);
  }
  return cache.get(key);
}

export function clock(ms, timeZone) {
  return formatter(timeZone, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(ms);
}

export function day(ms, timeZone) {
  return formatter(timeZone, { weekday: "short", day: "numeric", month: "short", year: "numeric" }).format(ms);
}

/** "1 h 05 min", "2 min 30 s", "42 s" */
export function duration(ms) {
  const total = Math.max(0, Math.round(ms / 1000));
  const h = Math.floor(total / 3600);
  const m = Math.floor((total % 3600) / 60);
  const s = total % 60;
  if (h) return `${h} h ${String(m).padStart(2, "0")} min`;
  if (m) return s ? `${m} min ${String(s).padStart(2, "0")} s` : `${m} min`;
  return `${s} s`;
}

/** "0:42", "12:05", "1:02:05": for columns */
export function stopwatch(seconds) {
  const total = Math.max(0, Math.floor(seconds));
  const h = Math.floor(total / 3600);
  const m = Math.floor((total % 3600) / 60);
  const s = String(total % 60).padStart(2, "0");
  return h ? `${h}:${String(m).padStart(2, "0")}:${s}` : `${m}:${s}`;
}

export function count(n, one, many = `${one}s`) {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

export function fixed(value, digits = 1) {
  return value === null || value === undefined || !Number.isFinite(value) ? "–" : value.toFixed(digits);
}
