"""How a person drives the build; what the build does is in stages/."""
