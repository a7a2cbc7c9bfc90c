"""chains, verdicts -> what the blind answers show: accuracy by arm, uplift over the closed book, persuasion by a foil.

MedReason keeps a chain when a model that reads it without its conclusion answers right. As its paths end at the answer, that
nearly always happens. What the filter is worth shows beside two others: what the same model answers without a chain, and how
often a chain towards a wrong option, written by the same prompt, leads to that option.

Of a question with several chains the first counts, so that each question is one trial and intervals hold. Intervals of shares
are Wilson's; paired arms are compared by McNemar's exact test; the interval of foil over truth is that of two proportions, by
logarithms, which leaves out that both read the same questions and so is too wide rather than too narrow.

Source: Wilson 1927; McNemar 1947; Walter 1975 (ratio of proportions).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from conf.lake import Lake
from medreason_ray.review.sql import ask

PERSUASIVE = 0.5
"""Foil over truth from which the filter counts as blind."""


class Cell(NamedTuple):
    """Questions whose blind answers fell alike; null where an arm was not asked or not judged."""

    questions: int
    closed_book: bool | None
    """The answer was right."""
    chain: bool | None
    """Right, which is where the chain leads."""
    masked: bool | None
    foil: bool | None
    """Right, in spite of the foil."""
    persuaded: bool | None
    """The foil's option was chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share of questions, with its 95 % interval."""

    name: str
    """Stable: the metric is arms/NAME."""
    title: str
    hits: int
    of: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two arms over the questions that both were asked."""

    name: str
    title: str
    only_first: int
    """Questions of which only the first holds."""
    only_second: int
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How often the foil persuades over how often the truth does, on the questions that have both, with its 95 % interval."""

    value: float
    low: float
    high: float
    questions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """What the blind answers show; empty where nobody was asked."""

    rates: tuple[Rate, ...] = ()
    """Only those with a question to count."""
    pairs: tuple[Pair, ...] = ()
    foil_over_truth: Ratio | None = None
    """None where no question has a judged foil."""
    judges: tuple[str, ...] = ()
    """Who answered blind."""
    same_model: bool | None = None
    """Some verdict is of the model that wrote the chain; None where nobody was asked."""

    @property
    def discriminates(self) -> bool | None:
        """Whether the foil persuades less than half as often as the truth; None where that is not sure, or was not asked."""
        ratio = self.foil_over_truth
        if ratio is None:
            return None
        if not ratio.value < PERSUASIVE:
            return False
        return True if ratio.high < PERSUASIVE else None

    @property
    def findings(self) -> tuple[str, ...]:
        """In sentences, for the card and the terminal: the filter's power first, then who judged."""
        return (_power(self.foil_over_truth), *_judged(self)) if self.rates else ()

    def metrics(self) -> Mapping[str, float]:
        """For MLflow; an arm that was not asked has none."""
        found: dict[str, float] = {}
        for rate in self.rates:
            found |= {
                f"arms/{rate.name}": rate.share,
                f"arms/{rate.name}_low": rate.low,
                f"arms/{rate.name}_high": rate.high,
                f"arms/{rate.name}_questions": float(rate.of),
            }
        found |= {f"arms/{pair.name}_p": pair.p for pair in self.pairs}
        if ratio := self.foil_over_truth:
            found |= {
                "arms/foil_over_truth": ratio.value,
                "arms/foil_over_truth_low": ratio.low,
                "arms/foil_over_truth_high": ratio.high,
            }
        return found


_Holds = Callable[[Cell], bool | None]
"""Whether something holds of a question; None where it cannot be said."""


def _where(condition: _Holds, holds: _Holds) -> _Holds:
    return lambda cell: holds(cell) if condition(cell) else None


_RATES: tuple[tuple[str, str, _Holds], ...] = (
    ("closed_book_accuracy", "right closed book", lambda cell: cell.closed_book),
    ("chain_accuracy", "right with the chain", lambda cell: cell.chain),
    ("masked_accuracy", "right with the masked chain", lambda cell: cell.masked),
    ("foil_accuracy", "right in spite of a foil", lambda cell: cell.foil),
    ("chain_uplift", "wrong closed book: right with the chain", _where(lambda c: c.closed_book is False, lambda c: c.chain)),
    ("masked_uplift", "wrong closed book: right with it masked", _where(lambda c: c.closed_book is False, lambda c: c.masked)),
    ("chain_kept", "right closed book: still right with the chain", _where(lambda c: c.closed_book is True, lambda c: c.chain)),
    ("truth_persuasion", "beside a foil: the chain to its answer", _where(lambda c: c.persuaded is not None, lambda c: c.chain)),
    ("foil_persuasion", "the foil leads to its option", _where(lambda c: c.chain is not None, lambda c: c.persuaded)),
)  # fmt: skip

_PAIRS: tuple[tuple[str, str, _Holds, _Holds], ...] = (
    ("chain_over_closed_book", "right with the chain, right closed book", lambda c: c.chain, lambda c: c.closed_book),
    ("masked_over_closed_book", "right with it masked, right closed book", lambda c: c.masked, lambda c: c.closed_book),
    (
        "truth_over_foil",
        "the chain leads to the answer, the foil to its option",
        lambda c: c.chain,
        lambda c: c.persuaded,
    ),
)

_QUERY = """
    with one as (
        select chain_id, question_id from (
            select chain_id, question_id, row_number() over (partition by question_id order by sample, chain_id) place
            from chains where arm = 'answer') where place = 1),
    said as (
        select one.question_id,
               max(case when v.arm = 'closed_book' then cast(v.agrees as int) end) closed_book,
               max(case when v.arm = 'chain' then cast(v.agrees as int) end) chain,
               max(case when v.arm = 'masked' then cast(v.agrees as int) end) masked
        from one join verdicts v on v.chain_id = one.chain_id group by one.question_id),
    foils as (
        select question_id, max(cast(agrees as int)) foil, max(cast(persuaded as int)) persuaded
        from verdicts where arm = 'foil' group by question_id)
    select count(*) questions, closed_book, chain, masked, foil, persuaded
    from said left join foils on said.question_id = foils.question_id
    group by closed_book, chain, masked, foil, persuaded
"""


def measure(lake: Lake) -> Arms:
    """The figures of a lake's verdicts as they are now; empty where there are none."""
    if any(lake.commit(name) is None for name in ("chains", "verdicts")):
        return Arms()
    cells = [
        Cell(int(str(count)), *(None if each is None else bool(each) for each in said))
        for count, *said in ask(lake, ("chains", "verdicts"), _QUERY)
    ]
    query = (
        "select judge_model, bool_or(same_model) from verdicts where agrees is not null group by judge_model order by 1"
    )
    judges = ask(lake, ("verdicts",), query)
    return summarise(cells, judges=[str(name) for name, _ in judges], same_model=any(same for _, same in judges))


def summarise(cells: Iterable[Cell], *, judges: Iterable[str] = (), same_model: bool | None = None) -> Arms:
    """The figures of questions counted by how their blind answers fell."""
    cells = list(cells)
    rates = [rate for name, title, holds in _RATES if (rate := _rate(name, title, holds, cells))]
    if not rates:
        return Arms()
    pairs = [pair for name, title, first, second in _PAIRS if (pair := _pair(name, title, first, second, cells))]
    by_name = {rate.name: rate for rate in rates}
    truth, foil = by_name.get("truth_persuasion"), by_name.get("foil_persuasion")
    return Arms(
        rates=tuple(rates),
        pairs=tuple(pairs),
        foil_over_truth=_ratio(foil, truth) if foil and truth else None,
        judges=tuple(judges),
        same_model=same_model,
    )


def _rate(name: str, title: str, holds: _Holds, cells: list[Cell]) -> Rate | None:
    hits, of = _count(cells, holds), _count(cells, lambda cell: holds(cell) is not None)
    if not of:
        return None
    low, high = proportion_confint(hits, of, alpha=0.05, method="wilson")
    return Rate(name=name, title=title, hits=hits, of=of, share=hits / of, low=float(low), high=float(high))


def _pair(name: str, title: str, first: _Holds, second: _Holds, cells: list[Cell]) -> Pair | None:
    both: Counter[tuple[bool | None, bool | None]] = Counter()
    for cell in cells:
        both[first(cell), second(cell)] += cell.questions
    table = [[both[a, b] for b in (True, False)] for a in (True, False)]
    if not sum(map(sum, table)):
        return None
    p = float(mcnemar(table, exact=True).pvalue)
    return Pair(name=name, title=title, only_first=table[0][1], only_second=table[1][0], p=p)


def _ratio(foil: Rate, truth: Rate) -> Ratio:
    low, high = confint_proportions_2indep(
        foil.hits, foil.of, truth.hits, truth.of, compare="ratio", method="log-adjusted"
    )
    value = foil.share / truth.share if truth.hits else float("inf" if foil.hits else "nan")
    return Ratio(value=value, low=float(low), high=float(high), questions=foil.of)


def _count(cells: list[Cell], holds: _Holds) -> int:
    return sum(cell.questions for cell in cells if holds(cell))


def _power(ratio: Ratio | None) -> str:
    """Whether the filter tells a right chain from a wrong one."""
    if ratio is None:
        return (
            "No question has both its chain and a foil judged, so whether the filter tells a right chain from a wrong one is"
            " not known."
        )
    persuades = not ratio.value < PERSUASIVE
    measured = (
        f"{ratio.value:.2f} times as often, 95 % {ratio.low:.2f} to {ratio.high:.2f}, {ratio.questions} questions"
    )
    if not ratio.value < float("inf"):
        measured = f"the truth never did, {ratio.questions} questions"
    said = "at least half" if persuades else "less than half"
    text = f"A chain towards a wrong option persuades {said} as often as one towards the answer ({measured})"
    if persuades:
        doubt = "; these are too few questions to be sure" if ratio.low < PERSUASIVE else ""
        return f"{text}: the filter has no discriminating power{doubt}."
    if ratio.high >= PERSUASIVE:
        return f"{text}, but these are too few questions to say that the filter has discriminating power."
    return f"{text}: the filter has discriminating power."


def _judged(arms: Arms) -> list[str]:
    """Who judged, where that bears on what the figures are worth."""
    if not arms.same_model:
        return []
    return ["The model that wrote the chains answered blind itself (same_model): it may follow its own words."]
