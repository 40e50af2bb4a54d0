"""The segmentation policy: its language, its compiled gates, its explanations. Pure."""
