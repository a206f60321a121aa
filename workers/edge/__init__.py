"""Where the engine meets the rest of SpotOn: these modules may import Django and tracking, the engine may not."""
