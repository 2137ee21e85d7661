"""Demo data from a seed: what the asset manager of a small furniture and tableware company may hold."""

import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count, islice
from random import Random
from typing import Any

from tap_akeneo_assets.sandbox import pictures, themes
from tap_akeneo_assets.sandbox.options import Options
from tap_akeneo_assets.sandbox.pim import Pim
from tap_akeneo_assets.sandbox.themes import Attribute, Theme

YEAR = timedelta(days=365)
MIDNIGHT = "%Y-%m-%dT00:00:00+00:00"
# Part of the values that are filled in: people leave most of a form empty.
FILLED = 0.45


def demo_pim(families: int = 3, assets: int = 250, seed: int = 0, options: Options | None = None) -> Pim:
    """A PIM with demo data.

    With three families or more, all attribute types of the PIM's version are there, in all four combinations of
    localizable and scopable; from four on, one family is empty. `updated` is spread over the year before the PIM's now.

    Args:
        families: Number of families.
        assets: Number of assets of each family.
        seed: The same seed gives the same data (relative to the PIM's now).
        options: The PIM's options.
    """
    pim = Pim(options)
    now = pim.options.clock().replace(microsecond=0)
    for theme in islice(_themes(), families):
        _save_family(pim, theme)
        if not theme.empty:
            _Assets(pim, theme, Random(f"{seed} {theme.code}"), now, assets).save()  # noqa: S311 (demo data)
    return pim


def _themes() -> Iterator[Theme]:
    yield from themes.THEMES
    for number in count(2):
        for theme in themes.REPEATED:
            labels = {locale: f"{label} {number}" for locale, label in theme.labels.items()}
            yield replace(theme, code=f"{theme.code}_{number}", labels=labels)


def _save_family(pim: Pim, theme: Theme) -> None:
    pim.save_family(theme.code, labels=theme.labels, attribute_as_main_media=theme.main_media, **theme.family)
    for attribute in _attributes(pim, theme):
        english, french = attribute.labels
        pim.save_attribute(
            theme.code,
            attribute.code,
            labels={"en_US": english, "fr_FR": french},
            type=attribute.type,
            value_per_locale="L" in attribute.scope,
            value_per_channel="C" in attribute.scope,
            **{"is_required_for_completeness": False, "is_read_only": False, **_defaults(attribute), **attribute.extra},
        )
        for code, labels in themes.OPTIONS.get(attribute.fill, {}).items():
            pim.save_option(theme.code, attribute.code, code, labels=dict(zip(themes.LOCALES, labels, strict=True)))


def _attributes(pim: Pim, theme: Theme) -> list[Attribute]:
    return [
        attribute for attribute in theme.attributes if pim.options.since(themes.TYPE_SINCE.get(attribute.type, "3.2"))
    ]


def _defaults(attribute: Attribute) -> dict[str, Any]:
    """The fields that a type has besides those of all types."""
    fields: dict[str, dict[str, Any]] = {
        "text": {"max_characters": None, "validation_rule": "none", "validation_regexp": None},
        "media_file": {"allowed_extensions": ["png", "jpg"], "max_file_size": "10", "media_type": "image"},
        "number": {"decimals_allowed": False, "min_value": None, "max_value": None},
    }
    if attribute.type.startswith("asset_family_"):
        return {"asset_family_code": attribute.fill, "default_value": None}
    return {**fields.get(attribute.type, {}), "default_value": None}


@dataclass(frozen=True)
class _Subject:
    """What an asset is about: a product of a colour and a brand."""

    number: int
    product: str
    colour: str
    brand: str
    updated: datetime

    @classmethod
    def of(cls, number: int, updated: datetime) -> "_Subject":
        """The subject of the asset of this number, in whatever family: so links between families lead somewhere."""
        products, colours = list(themes.PRODUCTS), list(themes.COLOURS)
        colour = colours[number // len(products) % len(colours)]
        return cls(
            number, products[number % len(products)], colour, themes.BRANDS[number % len(themes.BRANDS)], updated
        )

    @property
    def code(self) -> str:
        return f"{self.product}_{self.colour}_{self.number + 1:04}"

    def text(self, kind: str, locale: str | None) -> str:
        """A text of a kind in a locale."""
        language = themes.LOCALES.index(locale) if locale else 0
        return themes.TEXTS[kind][language].format(
            product=themes.PRODUCTS[self.product][language],
            colour=themes.COLOURS[self.colour][1][language],
            brand=self.brand,
            number=self.number + 1,
        )


class _Assets:
    """The assets of one family."""

    def __init__(self, pim: Pim, theme: Theme, random: Random, now: datetime, amount: int) -> None:
        self._pim, self._theme, self._random, self._now, self._amount = pim, theme, random, now, amount
        self._attributes = _attributes(pim, theme)
        self._make = self._makers()

    def save(self) -> None:
        for number in range(self._amount):
            updated = (self._now - YEAR * self._random.random()).replace(microsecond=0)
            created = (updated - YEAR * self._random.random()).replace(microsecond=0)
            subject = _Subject.of(number, updated)
            values = self._values(subject)
            self._pim.save_asset(self._theme.code, subject.code, values, created=created, updated=updated)

    def _values(self, subject: _Subject) -> dict[str, list[dict[str, Any]]]:
        values = {}
        for attribute in self._attributes:
            always = attribute.code == self._theme.main_media
            make = self._make[attribute.type]
            rows = [
                {"locale": locale, "channel": channel, "data": make(attribute.fill, subject, locale, channel)}
                for locale in (themes.LOCALES if "L" in attribute.scope else (None,))
                for channel in (themes.CHANNELS if "C" in attribute.scope else (None,))
                if always or self._random.random() < FILLED
            ]
            if rows:
                values[attribute.code] = rows
        return values

    def _makers(self) -> dict[str, Callable[[str, _Subject, str | None, str | None], object]]:
        """What makes one value's `data`, by the attribute's type; called with the attribute's `fill`, and the scope."""
        random = self._random
        options = {fill: list(codes) for fill, codes in themes.OPTIONS.items()}
        return {
            "text": lambda fill, subject, locale, _: self._text(fill, subject, locale),
            "single_option": lambda fill, *_: random.choice(options[fill]),
            "multiple_options": lambda fill, *_: random.sample(options[fill], random.randint(1, 2)),
            "number": lambda fill, *_: self._number(fill),
            "media_file": self._file,
            "media_link": lambda fill, subject, *_: self._link(fill, subject),
            "boolean": lambda *_: random.choice((True, False)),
            "date": lambda _, subject, *__: (subject.updated - YEAR * random.random()).strftime(MIDNIGHT),
            "record": lambda _, subject, *__: subject.brand.lower().replace(" & ", "_").replace(" ", "_"),
            "auto_tagging": lambda _, subject, *__: [subject.product, subject.colour],
            "asset_family_single_link": lambda *_: self._other(),
            "asset_family_multiple_links": lambda *_: [self._other(), self._other()],
        }

    def _text(self, kind: str, subject: _Subject, locale: str | None) -> str:
        return self._random.choice(themes.PHOTOGRAPHERS) if kind == "photographer" else subject.text(kind, locale)

    def _other(self) -> str:
        """The code of an asset, in whatever family."""
        return _Subject.of(self._random.randrange(self._amount), self._now).code

    def _number(self, kind: str) -> str:
        if kind == "integer":
            return str(self._random.choice((72, 150, 300)))
        digits = 2 if kind == "decimal" else 18
        return f"{self._random.randint(10, 900)}.{self._random.randrange(10**digits):0{digits}}"

    def _file(self, kind: str, subject: _Subject, locale: str | None, channel: str | None) -> str:
        name = subject.code if locale is None else f"{subject.code} {locale}"
        rgb = themes.COLOURS[subject.colour][0]
        if kind == "png":
            label = f"{subject.number + 1} {(locale or '')[:2]} {(channel or '')[:1]}".upper()
            content = pictures.png(subject.product, rgb, label)
        elif kind == "svg":
            content = pictures.svg(subject.brand.replace("&", "&amp;"), rgb, subject.number + 1)
        else:
            content = pictures.pdf(subject.text("title", locale))
        return self._pim.save_media_file(f"{name}.{kind}", content, updated=subject.updated)

    def _link(self, kind: str, subject: _Subject) -> str:
        if kind == "youtube":
            return "".join(self._random.choices(string.ascii_letters + string.digits, k=11))
        if kind == "vimeo":
            return str(self._random.randint(10**8, 10**9))
        return f"{subject.product}/{subject.code}"
