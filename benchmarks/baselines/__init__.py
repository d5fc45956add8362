"""What a competent person would write by hand instead, each with its own trade-off."""
