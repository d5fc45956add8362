"""The inputs of a discovered route with a schema of its own: a body, or a query, as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from naftiko.errors import FieldError, InputError
from naftiko.exposes.rest.inputs import (
    MAX_FIELD_ERRORS,
    InputReader,
    Query,
    not_an_object,
    takes_a_list,
)
from naftiko.plan.infer import BODYLESS
from naftiko.plan.inputs import InputTable
from naftiko.values import JsonObject, JsonValue


class ArgumentsReader(InputReader):
    """Reads what a caller gives from one place, whatever its names are: the schema judges them.

    That is the body, of GET and DELETE the query, whose texts are read by the types of the schema.
    Variables of the path come from there alone.
    """

    def __init__(
        self,
        table: InputTable,
        *,
        method: str,
        path_names: Sequence[str],
        foreign_query: Iterable[str] = (),
    ) -> None:
        """Choose the place."""
        super().__init__(table, method=method, path_names=path_names, foreign_query=foreign_query)
        self._place = "query" if method in BODYLESS else "body"
        self._names_in_path = frozenset(path_names)

    def _read_body(
        self,
        body: JsonValue,
        values: JsonObject,
        places: dict[str, str],
        errors: list[FieldError],
    ) -> dict[str, str]:
        if not isinstance(body, dict):
            errors.append(not_an_object(body))
            return places
        for name, value in body.items():
            if name in self._names_in_path:
                errors.append(_in_path(name, "body"))
            else:
                values[name] = value
        return places

    def _read_query(
        self,
        query: Query,
        values: JsonObject,
        places: dict[str, str],
        errors: list[FieldError],
    ) -> dict[str, str]:
        for name, texts in query.items():
            if name in self._foreign_query or len(errors) >= MAX_FIELD_ERRORS:
                continue
            item = self._query.get(name)
            if name in self._names_in_path:
                errors.append(_in_path(name, "query"))
            elif self._place == "body":
                message = f"`{name[:80]}` is read from the body, not from the query"
                errors.append(FieldError(name=name[:80], message=message, in_="query"))
            elif item is None:
                values[name] = texts[0] if len(texts) == 1 else list[JsonValue](texts)
            elif len(texts) > 1 and not takes_a_list(item):
                message = f"`{name}` takes one value, found {len(texts)}"
                errors.append(FieldError(name=name, message=message, in_="query"))
            else:
                values[name] = self._table.read_text(item, texts)
        return places

    def _check(
        self, values: JsonObject, places: Mapping[str, str], errors: list[FieldError]
    ) -> JsonObject:
        try:
            return super()._check(values, places, errors)
        except InputError as error:
            error.fields = tuple(map(self._placed, error.fields))
            raise

    def _placed(self, field: FieldError) -> FieldError:
        """Say of names that are not listed, and of the whole, where they stand."""
        if field.in_ == "argument" or not field.name:
            return replace(field, in_=self._place)
        return field


def _in_path(name: str, place: str) -> FieldError:
    message = f"`{name}` is read from the path, not from the {place}"
    return FieldError(name=name, message=message, in_=place)
