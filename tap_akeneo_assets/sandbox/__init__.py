"""A small stand-in for Akeneo's Asset Manager, to try the tap and to test it against.

`Pim` holds the families, attributes, options, assets and media files; `demo_pim` fills one with a company's data;
`Options` chooses the PIM's version and every variant that the API's documentation leaves open. These three need
nothing but Python. The parts that speak HTTP need Flask (`pip install 'tap-akeneo-assets[sandbox]'`) and are imported
from their own modules::

    from tap_akeneo_assets.sandbox import Options, demo_pim
    from tap_akeneo_assets.sandbox.faults import Faults, drop
    from tap_akeneo_assets.sandbox.server import serve

    pim = demo_pim(families=3, assets=250, options=Options(pim_version="6.0"))
    pim.faults = Faults().nth("assets", 2, drop())
    with serve(pim) as server:
        requests.get(f"{server.url}/api/rest/v1")
    print(pim.requests)

From a shell: `akeneo-sandbox serve`, or `akeneo-sandbox run -- COMMAND`.
"""

from tap_akeneo_assets.sandbox.data import demo_pim
from tap_akeneo_assets.sandbox.options import Options
from tap_akeneo_assets.sandbox.pim import Pim

__all__ = ["Options", "Pim", "demo_pim"]
