"""Skills over HTTP: a catalogue and files. Nothing is run."""

from naftiko.exposes.skill.adapter import skill_app

__all__ = ["skill_app"]
