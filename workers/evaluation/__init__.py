"""How good tracks are: HOTA, IDF1 and MOTA, for boxes in a camera, across cameras, and on the map."""

from workers.evaluation.quality import Frames, Quality, box_costs, evaluate, point_costs

__all__ = ["Frames", "Quality", "box_costs", "evaluate", "point_costs"]
