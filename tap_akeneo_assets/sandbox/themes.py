"""The demo data's words: families with their attributes, as tables, and the texts and names that fill them."""

from dataclasses import dataclass, field
from typing import Any

from tap_akeneo_assets.sandbox.options import PimVersion

LOCALES = ("en_US", "fr_FR", "de_DE")
CHANNELS = ("ecommerce", "print")

#: Types that are not as old as the API itself.
TYPE_SINCE: dict[str, PimVersion] = {
    "number": "4.0",
    "media_link": "4.0",
    "boolean": "7.0",
    "date": "7.0",
    "record": "7.0",
    "auto_tagging": "saas",
    "asset_family_single_link": "saas",
    "asset_family_multiple_links": "saas",
}


@dataclass(frozen=True)
class Attribute:
    """A row of a family's table.

    Attributes:
        code: The attribute's code.
        labels: Its label in English and French.
        type: Its type.
        scope: `L` for localizable, `C` for scopable, both or neither.
        fill: What its values are made of: a key of `TEXTS` or `OPTIONS`, or a kind of file.
        extra: Further fields of the attribute.
    """

    code: str
    labels: tuple[str, str]
    type: str
    scope: str = ""
    fill: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Theme:
    """A family of the demo data; `empty` families have attributes but no assets."""

    code: str
    labels: dict[str, str]
    main_media: str
    attributes: tuple[Attribute, ...]
    family: dict[str, Any] = field(default_factory=dict)
    empty: bool = False


PRODUCTS = {
    "mug": ("Stoneware mug", "Mug en grès", "Steinzeugbecher"),
    "bottle": ("Steel bottle", "Gourde en acier", "Stahlflasche"),
    "chair": ("Oak chair", "Chaise en chêne", "Eichenstuhl"),
    "lamp": ("Desk lamp", "Lampe de bureau", "Schreibtischlampe"),
    "shirt": ("Organic T-shirt", "T-shirt bio", "Bio-T-Shirt"),
    "backpack": ("City backpack", "Sac à dos urbain", "Stadtrucksack"),
}

COLOURS = {
    "red": ((200, 48, 44), ("red", "rouge", "rot")),
    "ocean_blue": ((28, 98, 168), ("ocean blue", "bleu océan", "ozeanblau")),
    "moss_green": ((92, 122, 60), ("moss green", "vert mousse", "moosgrün")),
    "mustard": ((214, 164, 32), ("mustard", "moutarde", "senfgelb")),
    "charcoal": ((64, 66, 70), ("charcoal", "anthracite", "anthrazit")),
    "blush": ((230, 168, 160), ("blush", "rose poudré", "zartrosa")),
}

BRANDS = ("Nordlys", "Atelier Brume", "Kestrel & Co", "Feldgrau")
PHOTOGRAPHERS = ("Anaïs Lefèvre", "Jörg Müller", "Priya Raman", "Tomáš Dvořák")

#: Texts by kind, in the order of LOCALES; `{product}`, `{colour}`, `{brand}` and `{number}` are filled in.
TEXTS = {
    "title": (
        "{product}, {colour}, view {number}",
        "{product}, {colour}, vue {number}",
        "{product}, {colour}, Ansicht {number}",
    ),
    "alt": (
        "{product} in {colour} on a white background",
        "{product} {colour} sur fond blanc",
        "{product} in {colour} vor weißem Hintergrund",
    ),
    "note": (
        "Crop to the product.\nKeep 5 mm bleed; {colour} must match the sample.",
        "Recadrer sur le produit.\nGarder 5 mm de fond perdu ; {colour} selon l'échantillon.",
        "Auf das Produkt zuschneiden.\n5 mm Beschnitt; {colour} nach Muster.",
    ),
    "rich": (
        "<p><strong>{product}</strong> &ndash; designed by {brand}, made to last.</p>\n<ul><li>{colour}</li></ul>",
        "<p><strong>{product}</strong> &ndash; dessiné par {brand}, fait pour durer.</p>\n<ul><li>{colour}</li></ul>",
        "<p><strong>{product}</strong> &ndash; von {brand} entworfen, für lange Zeit.</p>\n<ul><li>{colour}</li></ul>",
    ),
    "claim": ("{brand}: less, but better", "{brand} : moins, mais mieux", "{brand}: weniger, aber besser"),
}

#: Options by list: code → labels in the order of LOCALES.
OPTIONS = {
    "colours": {code: names for code, (_, names) in COLOURS.items()},
    "backgrounds": {
        "white": ("White", "Blanc", "Weiß"),
        "lifestyle": ("Lifestyle", "Mise en situation", "Im Gebrauch"),
        "transparent": ("Transparent", "Détouré", "Freigestellt"),
    },
    "markets": {
        "released": ("Released", "Publié", "Freigegeben"),
        "embargoed": ("Under embargo", "Sous embargo", "Gesperrt"),
        "2024": ("Season 2024", "Saison 2024", "Saison 2024"),
    },
    "topics": {
        "assembly": ("Assembly", "Montage", "Aufbau"),
        "care": ("Care", "Entretien", "Pflege"),
        "safety": ("Safety", "Sécurité", "Sicherheit"),
    },
    "audiences": {
        "customers": ("Customers", "Clients", "Kundschaft"),
        "retailers": ("Retailers", "Revendeurs", "Handel"),
        "service": ("Service staff", "Techniciens", "Kundendienst"),
    },
}

PLAIN = {"is_textarea": False, "is_rich_text_editor": None}
AREA = {"is_textarea": True, "is_rich_text_editor": False}
RICH = {"is_textarea": True, "is_rich_text_editor": True}
PDF = {"allowed_extensions": ["pdf"], "media_type": "pdf"}
DAM = {"prefix": "https://dam.example.com/", "suffix": "?width=2000", "media_type": "image"}
YOUTUBE = {"prefix": "", "suffix": None, "media_type": "youtube"}
VIMEO = {"prefix": None, "suffix": "", "media_type": "vimeo"}
OWN_SITE = {"prefix": "https://brand.example.com/guides/", "suffix": None, "media_type": "pdf"}
REQUIRED = {"is_required_for_completeness": True}
A = Attribute

PACKSHOTS = Theme(
    "packshots",
    {"en_US": "Product packshots", "fr_FR": "Photos produit", "de_DE": "Produktfotos"},
    "picture",
    (
        A("title", ("Title", "Titre"), "text", "L", "title", {**PLAIN, **REQUIRED, "max_characters": 255}),
        A(
            "alt_text",
            ("Alternative text", "Texte alternatif"),
            "text",
            "LC",
            "alt",
            {**PLAIN, "max_characters": "125"},
        ),
        A("photographer", ("Photographer", "Photographe"), "text", "", "photographer", PLAIN),
        A("print_note", ("Note for the printer", "Note pour l'imprimeur"), "text", "C", "note", AREA),
        A("picture", ("Picture", "Image"), "media_file", "", "png", REQUIRED),
        A("thumbnail", ("Thumbnail", "Vignette"), "media_file", "C", "png", {"is_read_only": True}),
        A("dam_link", ("Original in the DAM", "Original dans le DAM"), "media_link", "C", "path", DAM),
        A("main_colors", ("Main colours", "Couleurs principales"), "multiple_options", "", "colours"),
        A("background", ("Background", "Fond"), "single_option", "C", "backgrounds"),
        A("market_status", ("Market status", "Statut du marché"), "single_option", "L", "markets"),
        A("resolution", ("Resolution in dpi", "Résolution en dpi"), "number", "", "integer"),
        A("width_mm", ("Width in mm", "Largeur en mm"), "number", "C", "decimal", {"decimals_allowed": True}),
        A("retouched", ("Retouched", "Retouchée"), "boolean", "", "", {"default_value": False}),
        A("print_ready", ("Ready for print", "Prête à imprimer"), "boolean", "C"),
        A("shot_on", ("Shot on", "Date de prise de vue"), "date"),
        A("rights_until", ("Rights until", "Droits jusqu'au"), "date", "C"),
        A("brand", ("Brand", "Marque"), "record", "", "brands", {"reference_entity": "brands"}),
        A("auto_tags", ("Automatic tags", "Tags automatiques"), "auto_tagging"),
        A("user_guide", ("User guide", "Notice"), "asset_family_single_link", "", "user_guides"),
        A("seen_with", ("Seen with", "Vu avec"), "asset_family_multiple_links", "C", "packshots"),
    ),
    {
        "sharing_enabled": True,
        "auto_tagging_enabled": True,
        "naming_convention": {
            "source": {"property": "code", "channel": None, "locale": None},
            "pattern": "/(?P<product_ref>.*)_\\d+/",
            "abort_asset_creation_on_error": True,
        },
        "product_link_rules": [
            {
                "product_selections": [
                    {"field": "sku", "operator": "EQUALS", "value": "{{product_ref}}"},
                    {"field": "family", "operator": "IN", "value": ["furniture", "tableware"]},
                ],
                "assign_assets_to": [{"attribute": "packshots", "mode": "replace", "channel": None, "locale": None}],
            }
        ],
        "transformations": [
            {
                "label": "Thumbnail for the shop",
                "filename_prefix": "shop_",
                "filename_suffix": "_small",
                "source": {"attribute": "picture", "channel": None, "locale": None},
                "target": {"attribute": "thumbnail", "channel": "ecommerce", "locale": None},
                "operations": [
                    {"type": "thumbnail", "parameters": {"width": 150, "height": 150}},
                    {
                        "type": "resolution",
                        "parameters": {"resolution-x": 72, "resolution-y": 72, "resolution-unit": "ppi"},
                    },
                ],
            }
        ],
    },
)

USER_GUIDES = Theme(
    "user_guides",
    {"en_US": "User guides", "fr_FR": "Notices d'utilisation", "de_DE": "Bedienungsanleitungen"},
    "document",
    (
        A("title", ("Title", "Titre"), "text", "L", "title", {**PLAIN, "default_value": "Untitled"}),
        A("summary", ("Summary", "Résumé"), "text", "LC", "rich", RICH),
        A("safety_note", ("Safety note", "Note de sécurité"), "text", "", "note", AREA),
        A("document", ("Document", "Document"), "media_file", "L", "pdf", {**PDF, "max_file_size": "20.5"}),
        A("cover", ("Cover", "Couverture"), "media_file", "LC", "png"),
        A("video", ("Video", "Vidéo"), "media_link", "L", "youtube", YOUTUBE),
        A("level", ("Level", "Niveau"), "single_option", "", "audiences", {"default_value": "customers"}),
        A("season", ("Season", "Saison"), "single_option", "LC", "markets"),
        A("audience", ("Audience", "Public"), "multiple_options", "C", "audiences", {"default_value": ["customers"]}),
        A("topics", ("Topics", "Sujets"), "multiple_options", "LC", "topics"),
        A("pages", ("Pages", "Pages"), "number", "L", "integer", {"min_value": "1", "max_value": "400"}),
        A("printing_cost", ("Printing cost", "Coût d'impression"), "number", "LC", "long", {"decimals_allowed": True}),
        A("approved", ("Approved", "Approuvée"), "boolean", "L"),
        A("proof_read", ("Proof-read", "Relue"), "boolean", "LC"),
        A("valid_from", ("Valid from", "Valable à partir du"), "date", "L"),
        A("brand", ("Brand", "Marque"), "record", "C", "brands", {"reference_entity": "brands"}),
        A("auto_tags", ("Automatic tags", "Tags automatiques"), "auto_tagging", "L"),
        A(
            "previous_edition",
            ("Previous edition", "Édition précédente"),
            "asset_family_single_link",
            "L",
            "user_guides",
        ),
        A("packshots", ("Packshots", "Photos"), "asset_family_multiple_links", "", "packshots"),
    ),
    {"sharing_enabled": False, "product_link_rules": [], "transformations": []},
)

BRAND_LOGOS = Theme(
    "brand_logos",
    {"en_US": "Brand logos", "fr_FR": "Logos des marques"},
    "logo",
    (
        A(
            "name",
            ("Name", "Nom"),
            "text",
            "",
            "claim",
            {**PLAIN, "validation_rule": "regexp", "validation_regexp": "/./"},
        ),
        A("story", ("Brand story", "Histoire de la marque"), "text", "L", "rich", RICH),
        A("claim", ("Claim", "Slogan"), "text", "C", "claim", PLAIN),
        A("logo", ("Logo", "Logo"), "media_file", "", "svg", {"allowed_extensions": ["svg", "png"]}),
        A("spot", ("Spot", "Spot"), "media_link", "", "vimeo", VIMEO),
        A("guideline", ("Guideline", "Charte"), "media_link", "LC", "path", OWN_SITE),
        A("logo_colors", ("Colours allowed", "Couleurs admises"), "multiple_options", "L", "colours"),
        A("registered_on", ("Registered on", "Déposée le"), "date", "LC"),
        A("owner", ("Owner", "Propriétaire"), "record", "L", "brands", {"reference_entity": "companies"}),
        A("agency", ("Agency", "Agence"), "record", "LC", "brands", {"reference_entity": "companies"}),
        A("auto_tags", ("Automatic tags", "Tags automatiques"), "auto_tagging", "C"),
        A("auto_tags_by_market", ("Tags by market", "Tags par marché"), "auto_tagging", "LC"),
        A("hero_picture", ("Hero picture", "Image phare"), "asset_family_single_link", "C", "packshots"),
        A("style_guide", ("Style guide", "Guide de style"), "asset_family_single_link", "LC", "user_guides"),
        A("gallery", ("Gallery", "Galerie"), "asset_family_multiple_links", "L", "packshots"),
        A("campaign", ("Campaign", "Campagne"), "asset_family_multiple_links", "LC", "packshots"),
    ),
)

PRESS_KIT = Theme(
    "press_kit",
    {},
    "document",
    (
        A("title", ("Title", "Titre"), "text", "L", "title", PLAIN),
        A("document", ("Document", "Document"), "media_file", "", "pdf", PDF),
        A("audience", ("Audience", "Public"), "multiple_options", "", "audiences"),
    ),
    {"naming_convention": {}, "product_link_rules": [], "transformations": []},
    empty=True,
)

THEMES = (PACKSHOTS, USER_GUIDES, BRAND_LOGOS, PRESS_KIT)
#: Families beyond the themes are numbered copies of these.
REPEATED = THEMES[:3]
