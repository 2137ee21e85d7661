"""`python -m tap_akeneo_assets`."""

from tap_akeneo_assets.tap import main

main()
