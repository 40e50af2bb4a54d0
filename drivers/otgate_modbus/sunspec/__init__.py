"""SunSpec: devices that say in their registers what they have, model by model."""
