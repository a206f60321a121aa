// Full updates out of the delta mode of /ws/tracking.

/** The full payload that `delta` tells as changes of the full payload `base`; neither is changed. */
export function applied(base, delta) {
  const passedS = (Date.parse(delta.timestamp_captured_utc) - Date.parse(base.timestamp_captured_utc)) / 1000;
  const cameras = {};
  for (const [name, { added, changed, removed, ...rest }] of Object.entries(delta.cameras)) {
    const changes = new Map(changed.map((track) => [track.track_id, track]));
    const kept = (base.cameras[name]?.tracks ?? [])
      .filter((track) => !removed.includes(track.track_id))
      .map((track) => later(track, changes.get(track.track_id) ?? {}, passedS));
    cameras[name] = { ...rest, tracks: [...kept, ...added] };
  }
  const { delta: _, base_seq: __, ...whole } = delta;
  return { ...whole, cameras };
}

// deltas do not tell the duration: it grows with the time, and with a first detection that turns out to be an earlier one
function later(track, changes, passedS) {
  if (track.tracking_duration === undefined) return { ...track, ...changes };
  const { detection_time: first } = changes;
  const earlierS = first === undefined ? 0 : (Date.parse(track.detection_time) - Date.parse(first)) / 1000;
  const duration = track.tracking_duration + passedS + earlierS;
  return { ...track, ...changes, tracking_duration: Math.round(1000 * Math.max(0, duration)) / 1000 };
}
