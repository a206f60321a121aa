"""All cameras of one plane at one instant: which box is whom.

Every camera is assigned against what the prediction and all other cameras say, in a few sweeps, so that an early
mistake of one camera is mended when the others contradict it: coordinate ascent on the joint likelihood. Where that
climbs to depends on where it starts; it starts several times, from places where people might be as well, and every
result is rated by the joint likelihood of all that the cameras showed and did not show.
"""

from __future__ import annotations

import numpy as np

from workers.compiled import compiled
from workers.tracking.assignment import Candidates, assign, own_gains
from workers.tracking.cameras import Sights
from workers.tracking.likelihood import BoxModel
from workers.tracking.pairs import Pairs, pair_of
from workers.tracking.saying import Crowd, Rated, Sum, Told, clear, make_room, rate_view, tell_box, tell_view
from workers.tracking.views import Boxes

# a start elsewhere is believed this many times as much as the prediction, for the first sweep
START_TRUST = 8.0
# somebody who is surely in view is overlooked at least this often
LEAST_OVERLOOKED = 0.02
# so many starts that all lead to the same leave no doubt
ENOUGH = 3
# joint likelihoods of one person beyond this change nothing any more (nats)
MOST_NATS = 50.0


@compiled
def search(
    boxes: Boxes, sights: Sights, crowd: Crowd, pairs: Pairs, places: np.ndarray, dependence: float, sweeps: int,
    exchange_nats: float, model: BoxModel,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Assign the M boxes of all views within every hypothesis, from R starts each, fewer where the first ones agree.

    Args:
        pairs: of people and boxes, with what appearance says.
        places: (R, T, 3) where people are to be looked for first, relative to the prediction; the first start takes
            the prediction itself.
        dependence: see `likelihood.tell`.
        sweeps, exchange_nats: see `TrackerSettings`.

    Returns:
        (H, R, M) the person (row among T) of every box, or -1; (H, R) joint log-likelihoods against nobody at all.
    """
    H, R, M = len(crowd.starts) - 1, len(places), len(boxes.doubts)
    V, T = sights.inside.shape
    # room to think, cleared by whoever uses it
    room = make_room()
    told = Told(np.full((V, T), -1), np.zeros((V, T, 3, 3)), np.zeros((V, T, 3)), np.zeros((0, 0)))
    total = Sum(np.zeros((T, 3, 3)), np.zeros((T, 3)))
    rated = _unrated(pairs)
    assigned, scores = np.full((H, R, M), -1), np.full((H, R), -np.inf)
    for h in range(H):
        begin, end = crowd.starts[h], crowd.starts[h + 1]
        # less likely hypotheses are worth less effort
        tries = max(R >> min(h, 2), 1)
        found = np.full((tries, M), -1)
        # whether all starts so far led to the same
        agree = True
        # the box of every person in every view under each start
        mine, nats = np.full((tries, end - begin, V), -1), np.zeros((tries, end - begin))
        for r in range(tries):
            _climb(
                boxes, sights, crowd, pairs, told, total, places[r], r > 0, dependence, sweeps, model, begin, end,
                room, rated, found[r],
            )  # fmt: skip
            for v in range(V):
                for box in range(boxes.starts[v], boxes.starts[v + 1]):
                    if found[r, box] >= 0:
                        mine[r, found[r, box] - begin, v] = box
            _score(sights, crowd, pairs, told, total, dependence, model, begin, room, mine, r, nats)
            agree = agree and (found[r] == found[0]).all()
            if agree and r + 1 == ENOUGH:
                tries = ENOUGH
                break
        _recombine(found[:tries], nats[:tries], begin, assigned[h], scores[h])
        _exchange(
            boxes, sights, crowd, pairs, told, total, dependence, model, begin, end, room, exchange_nats, assigned[h],
            scores[h],
        )  # fmt: skip
    return assigned, scores


@compiled
def _recombine(found, nats, begin, assigned, scores) -> None:
    """Take the best of every group of people who compete for boxes from whichever start found it; then, in the order of
    what they lose, those that differ from it in one group.

    Args:
        found: (R, M) assignments of one hypothesis; nats: (R, n) log-likelihoods of its people under each.
        assigned: (R, M) and scores: (R,), overwritten; minus infinity where there are fewer.
    """
    R, n = nats.shape
    M = found.shape[1]
    group = np.arange(n)
    for box in range(M):
        one = -1
        for r in range(R):
            if found[r, box] >= 0:
                i = found[r, box] - begin
                if one < 0:
                    one = i
                elif group[i] != group[one]:
                    old, new = group[i], group[one]
                    for k in range(n):
                        if group[k] == old:
                            group[k] = new
    totals = np.zeros((R, n))
    for r in range(R):
        for i in range(n):
            totals[r, group[i]] += nats[r, i]
    best = np.zeros(n, np.int64)
    for g in range(n):
        for r in range(1, R):
            if totals[r, g] > totals[best[g], g] + 1e-9:
                best[g] = r
    for box in range(M):
        for r in range(R):
            i = found[r, box]
            if i >= 0 and best[group[i - begin]] == r:
                assigned[0, box] = i
    scores[0] = 0.0
    for g in range(n):
        scores[0] += totals[best[g], g]
    # alternatives of one group: what they lose
    losses = np.full((n, R), np.inf)
    for g in range(n):
        if not (group == g).any():
            continue
        for r in range(R):
            loss = totals[best[g], g] - totals[r, g]
            new = loss > 1e-9
            for o in range(r):
                new &= abs(totals[o, g] - totals[r, g]) > 1e-9
            if new:
                losses[g, r] = loss
    order = np.argsort(losses.ravel(), kind="mergesort")
    for k in range(1, R):
        if k > len(order):
            break
        g, r = order[k - 1] // R, order[k - 1] % R
        if losses[g, r] == np.inf:
            break
        scores[k] = scores[0] - losses[g, r]
        for box in range(M):
            i = assigned[0, box]
            if i >= 0 and group[i - begin] != g:
                assigned[k, box] = i
            o = found[r, box]
            if o >= 0 and group[o - begin] == g:
                assigned[k, box] = o


@compiled
def explain(
    boxes: Boxes, sights: Sights, crowd: Crowd, pairs: Pairs, assigned: np.ndarray, dependence: float, model: BoxModel,
) -> Told:  # fmt: skip
    """What (H, M) assignments, one for each hypothesis, say of everybody."""
    V, T = sights.inside.shape
    room = make_room()
    told = Told(np.full((V, T), -1), np.zeros((V, T, 3, 3)), np.zeros((V, T, 3)), np.zeros((V, T)))
    total = Sum(np.zeros((T, 3, 3)), np.zeros((T, 3)))
    rated = _unrated(pairs)
    for h in range(len(assigned)):
        begin, end = crowd.starts[h], crowd.starts[h + 1]
        # twice: each box is judged by what the others say
        for _ in range(2):
            for v in range(V):
                for box in range(boxes.starts[v], boxes.starts[v + 1]):
                    if assigned[h, box] >= 0:
                        tell_box(
                            sights,
                            crowd,
                            pairs,
                            told,
                            total,
                            v,
                            assigned[h, box],
                            box,
                            dependence,
                            model,
                            room,
                        )
        for v in range(V):
            first, last = boxes.starts[v], boxes.starts[v + 1]
            rate_view(sights, crowd, pairs, told, total, v, begin, end, 0.0, total.pull, model, room, rated)
            mine = assigned[h, first:last]
            chosen = np.where(mine >= 0, mine - begin, -1)
            gains = own_gains(_candidates(pairs, rated, T, v, begin, end, first, last), chosen)
            for j in range(last - first):
                if mine[j] >= 0:
                    told.gains[v, mine[j]] = gains[j]
    return told


@compiled
def _climb(
    boxes, sights, crowd, pairs, told, total, places, elsewhere, dependence, sweeps, model, begin, end, room, rated,
    assigned,
) -> None:  # fmt: skip
    """Sweep over the cameras until nothing changes; writes (M,) `assigned`."""
    V = len(told.boxes)
    clear(told, total, begin, end)
    # a view is looked at again when another one changed since
    looked, changed, tick = np.full(V, -1), np.zeros(V, np.int64), 0
    for sweep in range(sweeps):
        trust = START_TRUST if elsewhere and sweep == 0 else 0.0
        for v in range(V):
            first, last = boxes.starts[v], boxes.starts[v + 1]
            if first == last:
                continue
            if looked[v] >= 0 and not (elsewhere and sweep == 1):
                stale = False
                for o in range(V):
                    stale |= o != v and changed[o] > looked[v]
                if not stale:
                    continue
            tick += 1
            looked[v] = tick
            rate_view(sights, crowd, pairs, told, total, v, begin, end, trust, places, model, room, rated)
            candidates = _candidates(pairs, rated, len(crowd.first), v, begin, end, first, last)
            chosen = _choose(candidates, crowd.first[begin:end])
            tell_view(sights, pairs, told, total, v, begin, end, first, chosen, dependence, rated)
            for j in range(last - first):
                row = begin + chosen[j] if chosen[j] >= 0 else -1
                if assigned[first + j] != row:
                    changed[v] = tick
                    assigned[first + j] = row


@compiled
def _score(sights, crowd, pairs, told, total, dependence, model, begin, room, mine, r, result) -> None:
    """Write the log-likelihoods of what all views show of a hypothesis' people under start `r`: the chain rule, view
    after view. Who has the same boxes as under an earlier start is as likely as there.

    Args:
        mine: (R, n, V) the people's boxes, or -1; result: (R, n).
    """
    _, n, V = mine.shape
    for k in range(n):
        i, before = begin + k, -1
        for o in range(r):
            same = True
            for v in range(V):
                same &= mine[o, k, v] == mine[r, k, v]
            if same:
                before = o
                break
        if before >= 0:
            result[r, k] = result[before, k]
            continue
        result[r, k] = _score_one(sights, crowd, pairs, told, total, dependence, model, room, i, mine[r, k])


@compiled
def _score_one(sights, crowd, pairs, told, total, dependence, model, room, i, mine) -> float:
    """The log-likelihood of what all views show of person `i` with these (V,) boxes, or -1."""
    clear(told, total, i, i + 1)
    nats, hit = 0.0, False
    for v in range(len(mine)):
        if sights.inside[v, i]:
            nats += np.log(max(1 - sights.rate[v, i], LEAST_OVERLOOKED))
        if mine[v] >= 0:
            nats += tell_box(sights, crowd, pairs, told, total, v, i, mine[v], dependence, model, room)
            hit = True
    exists = crowd.exists[i]
    seen = exists * np.exp(min(max(nats, -MOST_NATS), MOST_NATS))
    return np.log(seen + (1 - exists) * (not hit))


@compiled
def _exchange(
    boxes, sights, crowd, pairs, told, total, dependence, model, begin, end, room, hopeless, assigned, scores
) -> None:  # fmt: skip
    """Put among the alternatives those in which two who compete for boxes have exchanged all of theirs.

    Whether two people who met passed each other or turned back shows only later; both must be among the explanations
    until then. No start elsewhere leads from one to the other: every box, taken alone, is against it.

    Args:
        hopeless: what is this much less likely (nats) is left.
        assigned: (R, M) and scores: (R,), the best first, changed in place.
    """
    V, T = sights.inside.shape
    n = end - begin
    mine, owner = np.full((n, V), -1), np.full(len(boxes.doubts), -1)
    for v in range(V):
        for box in range(boxes.starts[v], boxes.starts[v + 1]):
            if assigned[0, box] >= 0:
                owner[box] = assigned[0, box] - begin
                mine[owner[box], v] = box
    best, most = assigned[0].copy(), scores[0]
    # how likely everybody is as they are, once it is asked for
    met, usual = np.full(n, -1), np.full(n, np.nan)
    for a in range(n):
        for v in range(V):
            if mine[a, v] < 0:
                continue
            for k in range(pairs.starts[v * T + begin + a], pairs.starts[v * T + begin + a + 1]):
                b = owner[pairs.boxes[k]]
                if b <= a or met[b] == a:
                    continue
                met[b] = a
                score = most
                for i, o in ((a, b), (b, a)):
                    if np.isnan(usual[i]):
                        usual[i] = _score_one(
                            sights, crowd, pairs, told, total, dependence, model, room, begin + i, mine[i]
                        )
                    taken = _within_reach(pairs, T, begin + i, mine[o])
                    score += _score_one(
                        sights, crowd, pairs, told, total, dependence, model, room, begin + i, taken
                    )
                    score -= usual[i]
                    if score < most - hopeless:
                        break
                if score < most - hopeless or score <= scores[-1]:
                    continue
                other = best.copy()
                for i, o in ((a, b), (b, a)):
                    for w in range(V):
                        if mine[o, w] >= 0:
                            near = pair_of(pairs, w * T + begin + i, mine[o, w]) >= 0
                            other[mine[o, w]] = begin + i if near else -1
                _insert(other, score, assigned, scores)


@compiled
def _insert(other, score, assigned, scores) -> None:
    """Put an assignment of (M,) boxes in its place among (R, M), the best first, unless it is there already."""
    place = len(scores) - 1
    while place > 0 and scores[place - 1] < score:
        place -= 1
    for r in range(len(scores)):
        if abs(scores[r] - score) < 1e-6 and (assigned[r] == other).all():
            return
    for r in range(len(scores) - 1, place, -1):
        scores[r], assigned[r] = scores[r - 1], assigned[r - 1]
    scores[place], assigned[place] = score, other


@compiled
def _within_reach(pairs, T, i, wanted) -> np.ndarray:
    """Of (V,) boxes, one of each view, those that may be person `i`'s; -1 for the others."""
    result = np.full(len(wanted), -1)
    for v in range(len(wanted)):
        if wanted[v] >= 0 and pair_of(pairs, v * T + i, wanted[v]) >= 0:
            result[v] = wanted[v]
    return result


@compiled
def _unrated(pairs) -> Rated:
    P = len(pairs.boxes)
    return Rated(np.empty(P), np.empty(P), np.empty(P, np.bool_))


@compiled
def _candidates(pairs, rated, T, v, begin, end, first_box, last_box) -> Candidates:
    """A hypothesis' people and the boxes of a view, as they are rated now."""
    starts = pairs.starts[v * T + begin : v * T + end + 1]
    return Candidates(starts, pairs.boxes, rated.values, first_box, last_box - first_box)


@compiled
def _choose(candidates: Candidates, first: np.ndarray) -> np.ndarray:
    """(m,) person of every box of a view, or -1: those who are first choose, the others take what is left.

    A match must be likelier than two separate explanations: a ratio above 1, nats above 0.
    """
    chosen = assign(candidates, first, np.ones(candidates.count, np.bool_))
    left = assign(candidates, ~first, chosen < 0)
    return np.where(chosen >= 0, chosen, left)
