// Full updates out of the delta mode of /ws/tracking.

/** The full payload that `delta` tells as changes of the full payload `base`; neither is changed. */
export function applied(base, delta) {
  const passedS = (Date.parse(delta.timestamp_captured_utc) - Date.parse(base.timestamp_captured_utc)) / 1000;
  const cameras = {};
  for (const [name, { added, changed, removed, ...rest }] of Object.entries(delta.cameras)) {
    const changes = new Map(changed.map((track) => [track.track_id, track]));
    const kept = (base.cameras[name]?.tracks ?? [])
      .filter((track) => !removed.includes(track.track_id))
      .map((track) => ({ ...older(track, passedS), ...changes.get(track.track_id) }));
    cameras[name] = { ...rest, tracks: [...kept, ...added] };
  }
  const { delta: _, base_seq: __, ...whole } = delta;
  return { ...whole, cameras };
}

// deltas do not tell it: it grows with the time
function older(track, passedS) {
  if (track.tracking_duration === undefined) return track;
  return { ...track, tracking_duration: Math.round(1000 * Math.max(0, track.tracking_duration + passedS)) / 1000 };
}
