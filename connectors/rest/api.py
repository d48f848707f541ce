"""One kind of row of an application with an HTTP API, as its declaration says: `connectors.remote.api.Api`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from connectors.base import ColumnInfo
from connectors.errors import ConnectorsError, RefusedError
from connectors.remote.api import Abilities, AnswerLostError, Found, MovedError, Page, RowRefusedError, Values
from connectors.rest import paths
from connectors.rest.answers import Answer
from connectors.rest.client import Asked, Client
from connectors.rest.columns import iso_text, of_us
from connectors.rest.errors import TemplateError, UnfitAnswerError
from connectors.rest.paging import Place, cursor_text
from connectors.rest.resources import Compiled, Listed, Single


class RestApi:
    """See `connectors.remote.api.Api` for what each method does and raises."""

    def __init__(self, system: str, compiled: Compiled, client: Client) -> None:
        self._system = system
        self._made = compiled
        self._rows = compiled.rows
        self._client = client

    @property
    def name(self) -> str:
        return self._made.name

    @property
    def key(self) -> tuple[str, ...]:
        return self._rows.key

    @property
    def columns(self) -> Sequence[ColumnInfo]:
        return [column.info for column in self._rows.columns.values()]

    @property
    def abilities(self) -> Abilities:
        return self._made.abilities

    async def page(self, cursor: str | None, since_us: int | None = None) -> Page:
        listed = self._made.list_ if since_us is None or self._made.since is None else self._made.since
        since_us = None if since_us is None else max(0, since_us - self._made.overlap_us)
        with self._declared():
            items, after = await self._page(listed, listed.paging.place(cursor), since(since_us))
            return Page(self._rows_of(items), cursor_text(after))

    async def removed(self, since_us: int) -> Sequence[str]:
        listed = self._made.removed
        if listed is None:
            raise NotImplementedError("no listing of removed rows is declared")
        with self._declared():
            items = await self._all(listed, since(max(0, since_us)))
            found = [self._rows.key_in(item, listed.key) for item in items]
            if None in found:
                raise UnfitAnswerError(f"{listed.request.setting}.id", "an item of the answer has no key there")
        return [one for one in found if one is not None]

    async def get(self, local_id: str) -> Found | None:
        with self._declared():
            one = self._made.get
            answer = await self._client.ask(self._asked(one.request.asked(self._key(local_id), {}), reading=True))
            item = None if answer.missing else self._item(one, answer)
            if item is None:
                return None
            found = self._rows.found(item, answer.headers)
            if found.local_id != local_id:
                why = f"row {local_id} was asked for, and {found.local_id} came"
                raise UnfitAnswerError(one.request.setting, why)
            return found

    async def find(self, columns: Values) -> Sequence[Found]:
        listed = next((one for one in self._made.find if one.by == frozenset(columns)), None)
        if listed is None:
            raise NotImplementedError(f"no find by {', '.join(columns)} is declared")
        with self._declared():
            sent = {name: self._rows.columns[name].sent(value) for name, value in columns.items()}
            found = self._rows_of(await self._all(listed, {"columns": sent}))
        return [row for row in found if self._rows.holds(row.values, columns)]

    async def create(self, values: Values, idempotency_key: str) -> Found:
        one = self._offered(self._made.create, "created")
        sent = self._sent(values)
        given = {"values": sent, "row": self._rows.laid_out(sent), "idempotency_key": idempotency_key}
        header = self._made.idempotency_header
        asked = self._write(one, given, {header: idempotency_key} if header else {})
        answer = await self._client.ask(asked)
        if answer.missing:
            raise self._no_such_address(asked)
        with self._written():
            return await self._kept(one, answer, None)

    async def update(self, before: Found, values: Values) -> Found:
        one = self._offered(self._made.update, "changed")
        sent = self._sent(values)
        given = self._given(before) | {"values": sent, "row": self._rows.laid_out(sent)}
        answer = await self._change(one, before, given)
        if answer.missing:
            raise MovedError(self._system, before.local_id)
        with self._written():
            return await self._kept(one, answer, self._rows.local_id({**before.values, **values}))

    async def delete(self, before: Found) -> None:
        one = self._offered(self._made.delete, "removed")
        await self._change(one, before, self._given(before))

    def found(self, payload: Any) -> Found:
        """The row in a part of a webhook's body. Raises ValueError, a sentence, for what is no row."""
        try:
            return self._rows.found(payload)
        except (TemplateError, UnfitAnswerError) as error:
            raise ValueError(str(error)) from error

    async def close(self) -> None:
        await self._client.close()

    async def _change(self, one: Single, before: Found, given: Mapping[str, Any]) -> Answer:
        condition, headers = self._made.condition, {}
        if condition is not None and before.tag is None:
            why = f"row {before.local_id} came without the tag that a write must name"
            raise self._misdeclared(f"{self._made.setting}.conditional", why)
        if condition is not None and condition.header is not None:
            headers[condition.header] = str(condition.value({"tag": before.tag}))
        asked = self._write(one, given, headers)
        return await self._client.ask(replace(asked, conditional=condition is not None, local_id=before.local_id))

    async def _kept(self, one: Single, answer: Answer, local_id: str | None) -> Found:
        """The row after a write: as the answer has it, or read anew."""
        item = None if answer.empty else _lenient(answer, one.item)
        if not one.read_back and not one.key and isinstance(item, dict):
            try:
                found = self._rows.found(item, answer.headers)
                if local_id in (None, found.local_id):
                    return found
            except UnfitAnswerError:
                pass
        local_id = local_id or self._made_key(one, answer, item)
        if local_id is None:
            raise UnfitAnswerError(f"{one.request.setting}.item", "the answer holds neither the row nor its key")
        kept = await self.get(local_id)
        if kept is None:
            raise UnfitAnswerError(one.request.setting, f"row {local_id} is not there after it was written")
        return kept

    def _made_key(self, one: Single, answer: Answer, item: Any) -> str | None:
        if one.key:
            return self._rows.key_in(answer.body, one.key)
        return self._rows.key_in(item, [self._rows.columns[name].path for name in self._rows.key])

    def _item(self, one: Single, answer: Answer) -> Any:
        """The item of an answer; None where it says that there is no such row: a null, or an empty list, in its place.

        A null further up says nothing of the kind: it is how some tell that something failed.
        """
        setting = f"{one.request.setting}.item"
        found = answer.at(one.item, setting)
        parent = answer.body if one.item is None else paths.find(answer.body, one.item[:-1])
        if found is None and (one.item is None or parent is None):
            raise UnfitAnswerError(setting, "the answer holds nothing where the row belongs")
        return None if found is paths.Lack.BEYOND else found

    async def _all(self, listed: Listed, variables: Mapping[str, Any]) -> list[Any]:
        items, place = list[Any](), listed.paging.start()
        while True:
            found, after = await self._page(listed, place, variables)
            items += found
            if after is None:
                return items
            place = after

    async def _page(self, listed: Listed, place: Place, given: Mapping[str, Any]) -> tuple[list[Any], Place | None]:
        way = listed.paging
        variables = {**given, "page": way.variables(place)}
        asked = self._asked(listed.request.asked(variables, way.query(place), way.url(place)), reading=True)
        answer = await self._client.ask(asked)
        if answer.missing:
            raise self._no_such_address(asked)
        items = answer.at(listed.items, f"{listed.request.setting}.items")
        if not isinstance(items, list):
            raise UnfitAnswerError(f"{listed.request.setting}.items", "what lies there is no list")
        return items, way.after(place, answer, asked.url, self._keys(listed, items))

    def _keys(self, listed: Listed, items: Sequence[Any]) -> list[list[Any]]:
        """What tells the items of a page from those of another."""
        places = listed.key or [self._rows.columns[name].path for name in self.key]
        found = [[paths.find(item, place) for place in places] for item in items]
        return [[None if isinstance(one, paths.Lack) else one for one in key] for key in found]

    def _rows_of(self, items: Sequence[Any]) -> list[Found]:
        return [self._rows.found(item) for item in items]

    def _key(self, local_id: str) -> dict[str, Any]:
        try:
            key = self._rows.key_of(local_id)
        except ValueError as error:
            raise UnfitAnswerError(f"{self._made.setting}.key", f"{local_id} is no key of it: {error}") from error
        return {"id": key[self.key[0]], "key": key}

    def _given(self, before: Found) -> dict[str, Any]:
        with self._declared():
            return self._key(before.local_id) | {"before": dict(before.values), "tag": before.tag}

    def _asked(self, asked: Asked, reading: bool) -> Asked:
        return replace(asked, reading=reading, judge=self._made.judge)

    def _write(self, one: Single, given: Mapping[str, Any], headers: Mapping[str, str]) -> Asked:
        try:
            asked = one.request.asked(given, {})
        except (TemplateError, TypeError, ValueError) as error:
            raise RowRefusedError(self._system, str(error)) from error
        return self._asked(replace(asked, headers={**asked.headers, **headers}), reading=False)

    def _sent(self, values: Values) -> dict[str, Any]:
        try:
            return self._rows.sent(values)
        except (TemplateError, ValueError) as error:
            raise RowRefusedError(self._system, str(error)) from error

    def _offered(self, one: Single | None, done: str) -> Single:
        if one is None:
            raise RowRefusedError(self._system, f"rows of {self.name} cannot be {done}: no such request is declared")
        return one

    def _no_such_address(self, asked: Asked) -> RefusedError:
        place = f"{asked.method} {asked.url.partition('?')[0]}"
        remedy = f"Look at systems.{self._system}.{asked.setting}.path."
        return RefusedError(self._system, place, "there is nothing at this address", remedy)

    def _misdeclared(self, setting: str, why: str) -> RefusedError:
        remedy = "Correct it; `docs/connectors/rest.md` has every setting."
        return RefusedError(self._system, f"setting systems.{self._system}.{setting}", why, remedy)

    @contextmanager
    def _declared(self) -> Iterator[None]:
        """What does not fit the declaration is the declaration's fault."""
        try:
            yield
        except UnfitAnswerError as error:
            raise self._misdeclared(error.setting, error.reason) from error
        except TemplateError as error:
            raise self._misdeclared(error.where, f"{{{{ {error.expression} }}}}: {error.reason}") from error

    @contextmanager
    def _written(self) -> Iterator[None]:
        """After a write, whatever goes wrong leaves open what it left."""
        try:
            yield
        except (ConnectorsError, ValueError) as error:
            raise AnswerLostError(self._system, f"written, but not read again: {error}") from error


def since(since_us: int | None) -> dict[str, Any]:
    """The variables that say from when on changes are asked for."""
    if since_us is None:
        return dict.fromkeys(("since", "since_s", "since_ms", "since_us"))
    text = f"{iso_text(of_us(since_us).replace(tzinfo=None))}Z"
    return {"since": text, "since_s": since_us // 10**6, "since_ms": since_us // 10**3, "since_us": since_us}


def _lenient(answer: Answer, path: paths.Path | None) -> Any:
    return answer.body if path is None else paths.find(answer.body, path)
