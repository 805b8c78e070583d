"""The validator: inspects machines over SSH, proves what they can do, scores, sets weights."""
