// What one `tracking_update` payload says about people, and what follows from the last few seconds of them.

const HEADING_OVER_MS = 900;
const STANDING_M_S = 0.25; // slower than this: standing, no heading
const STANDING_M = 0.25; // moved less than this in HEADING_OVER_MS: standing, no heading

/**
 * The people of an instant: those that cameras see, and those that are only followed on the map for a moment
 * (behind something, between two views), whose `cameras` are empty.
 * @returns Map of global id -> {id, cameras: [camera ids], position: [x, y] | null, velocity: [vx, vy] m/s | null,
 *   since: ms, durationS}
 */
export function peopleOf(payload) {
  const people = new Map();
  for (const [camera, { tracks }] of Object.entries(payload.cameras ?? {})) {
    for (const track of tracks ?? []) {
      if (!track.global_id) continue;
      let person = people.get(track.global_id);
      if (!person) {
        person = blank(track.global_id);
        people.set(track.global_id, person);
      }
      person.cameras.push(camera);
      if (track.map_coords) person.points.push(track.map_coords);
      const since = Date.parse(track.detection_time);
      if (since < person.since) person.since = since;
      person.durationS = Math.max(person.durationS, track.tracking_duration ?? 0);
    }
  }
  for (const person of people.values()) {
    const n = person.points.length;
    const mean = (axis) => person.points.reduce((sum, point) => sum + point[axis], 0) / n;
    person.position = n ? [mean(0), mean(1)] : null;
    delete person.points;
  }
  for (const { global_id: id, map_coords: position, velocity_m_s: velocity } of payload.persons ?? []) {
    if (!people.has(id)) people.set(id, blank(id));
    Object.assign(people.get(id), { position, velocity: velocity ?? null });
  }
  return people;
}

function blank(id) {
  return { id, cameras: [], points: [], position: null, velocity: null, since: Infinity, durationS: 0 };
}

/** Position of a person between two instants, for smooth motion; jumps of more than `maxJumpM` are not blended. */
export function between(from, to, fraction, maxJumpM = 1.5) {
  if (!to || !from) return from;
  const dx = to[0] - from[0];
  const dy = to[1] - from[1];
  return Math.hypot(dx, dy) > maxJumpM ? from : [from[0] + dx * fraction, from[1] + dy * fraction];
}

/** The last seconds of everybody's positions, bounded in time and number. */
export class Trails {
  constructor(keepMs = 6000, maxPoints = 90) {
    this.keepMs = keepMs;
    this.maxPoints = maxPoints;
    this.byPerson = new Map(); // id -> [{at, position}]
  }

  clear() {
    this.byPerson.clear();
  }

  add(at, people) {
    for (const { id, position } of people.values()) {
      if (!position) continue;
      let trail = this.byPerson.get(id);
      if (!trail) this.byPerson.set(id, (trail = []));
      if (trail.length && trail.at(-1).at >= at) trail.length = 0; // playback was moved back
      trail.push({ at, position });
      if (trail.length > this.maxPoints) trail.shift();
    }
    for (const [id, trail] of this.byPerson) {
      while (trail.length && trail[0].at < at - this.keepMs) trail.shift();
      if (!trail.length) this.byPerson.delete(id);
    }
  }

  of(id) {
    return this.byPerson.get(id) ?? [];
  }

  /** Direction of walking in radians, anticlockwise from east on the map; null when standing or unknown. */
  heading({ id, velocity }) {
    if (velocity) return Math.hypot(...velocity) < STANDING_M_S ? null : Math.atan2(velocity[1], velocity[0]);
    const trail = this.of(id);
    const last = trail.at(-1);
    if (!last) return null;
    const from = trail.find((point) => point.at >= last.at - HEADING_OVER_MS);
    const dx = last.position[0] - from.position[0];
    const dy = last.position[1] - from.position[1];
    return Math.hypot(dx, dy) < STANDING_M ? null : Math.atan2(dy, dx);
  }
}
