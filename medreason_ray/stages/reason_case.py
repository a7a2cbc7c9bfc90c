"""The conversation about one case: paths kept, chains written, answered blind, judged.

The writer is asked for paths and chains, the judge for the rest; where no other model is named, they are one. `write` is the
writer's part alone, `reason` the whole, so a judge is asked in a pass of its own that finds the writer's replies in the ledger.

Source: MedReason (arXiv:2504.00993) prunes, writes, and keeps a chain when a model that sees it without its conclusion
answers right. Here each arm is a row of `verdicts`, and the closed book beside it says what the model knew without a chain.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field

from conf.config import ChainsConfig, VerifyConfig
from conf.outcome import Rejected
from medreason_ray.conversation import LastRound, Row
from medreason_ray.engines.request import Model, Request
from medreason_ray.reply import answered
from medreason_ray.stages import answer_blind, judge_answers, prune_paths, write_chains
from medreason_ray.stages.show_paths import in_order, paths_to

_NOT_ASKED = "template engine: nothing to judge"
_ARMS = {"answer": ("closed_book", "chain", "masked"), "foil": ("foil",)}
"""What a chain is tested by, by its own arm."""


@dataclass(slots=True, kw_only=True)
class Reasoned:
    """What a case becomes."""

    chains: list[Row] = field(default_factory=list)
    verdicts: list[Row] = field(default_factory=list)
    lost: list[tuple[str, Rejected]] = field(default_factory=list)
    """Chains that could not be read: question|arm|sample, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Who answers blind, and what is asked."""

    verify: VerifyConfig
    model: Model
    same_model: bool
    """It is the model that wrote the chains."""


def reason(
    case: Row, *, chains: ChainsConfig, verify: VerifyConfig, model: Model, judge: Model
) -> Generator[list[Request], list[Row], Reasoned]:
    """Ask all there is to ask about a case.

    Args:
        case: the row of `cases`.
        chains: what is asked of the writer.
        verify: what is asked of the judge.
        model: the writer.
        judge: who answers blind; may be the writer.

    Raises:
        Rejected: no chain towards the answer came; the reason is the first one's.
    """
    found = yield from write(case, chains=chains, verify=verify, model=model, judge=judge, last=not judge.reads)
    if judge.reads:
        found.verdicts = yield from _verify(
            case, found.chains, Judge(verify=verify, model=judge, same_model=judge.is_same_as(model))
        )
    else:
        found.verdicts = [_verdict(chain, "chain") | {"why": _NOT_ASKED} for chain in found.chains]
    return found


def write(
    case: Row, *, chains: ChainsConfig, verify: VerifyConfig, model: Model, judge: Model, last: bool = False
) -> Generator[list[Request], list[Row], Reasoned]:
    """The writer's part of `reason`, with the same arguments: the chains, without verdicts; `last`: nothing is asked behind it.

    Raises:
        Rejected: no chain towards the answer came.
    """
    kept = in_order(paths_to(case, "answer", case["answer_key"] or ""))
    if chains.prune and model.reads:
        request = prune_paths.request(case, chains, model)
        [reply] = yield [request]
        kept = prune_paths.parse(request, answered(reply))
    # A foil is written only where somebody will read it.
    found = Reasoned()
    asked = _requests(case, kept, chains, model, lost=found.lost, with_foil=judge.reads and "foil" in verify.arms)
    replies = yield (LastRound if last else list)(asked.values())
    for ((arm, sample), request), reply in zip(asked.items(), replies, strict=True):
        try:
            found.chains.append(write_chains.parse(case, request, answered(reply), arm=arm, sample=sample))
        except Rejected as reason:
            found.lost.append((f"{case['question_id']}|{arm}|{sample}", reason))
    if not any(chain["arm"] == "answer" for chain in found.chains):
        raise next(why for key, why in found.lost if "|answer|" in key)
    return found


def _requests(
    case: Row, kept: list[Row], chains: ChainsConfig, model: Model, *, lost: list[tuple[str, Rejected]], with_foil: bool
) -> dict[tuple[str, int], Request]:
    """By arm and sample the samples towards the answer and, where asked for, one chain towards the strongest wrong option."""
    key = case["answer_key"]
    samples = write_chains.requests(case, kept, chains, model, key=key, answer=case["answer"], samples=chains.samples)
    asked = {("answer", sample): request for sample, request in enumerate(samples)}
    if with_foil and (rival := _rival(case)):
        key, answer = rival["key"], rival["text"]
        try:
            paths = in_order(paths_to(case, "option", key))
            [foil] = write_chains.requests(case, paths, chains, model, key=key, answer=answer, samples=1)
        except Rejected as reason:
            lost.append((f"{case['question_id']}|foil|0", reason))
        else:
            asked["foil", 0] = foil
    return asked


def _rival(case: Row) -> Row | None:
    """The wrong option that has the best path, as the ranker puts them; None where none has one."""
    options = {option["key"]: option for option in case["options"] or ()}
    keys = (pair["option_key"] for pair in case["pairs"] if pair["side"] == "option")
    return next((options[key] for key in keys if key in options), None)


def _verify(case: Row, chains: list[Row], judge: Judge) -> Generator[list[Request], list[Row], list[Row]]:
    """The verdicts of a case's chains; the closed book is asked once and stands beside each chain towards the answer."""
    blind: dict[tuple[str, str], Request] = {}
    said: dict[tuple[str, str], Row] = {}
    by_id = {chain["chain_id"]: chain for chain in chains}
    for chain in chains:
        for arm in (arm for arm in _ARMS[chain["arm"]] if arm in judge.verify.arms):
            place = chain["chain_id"], arm
            try:
                blind[place] = _blind(case, chain, arm, judge)
            except Rejected as reason:
                said[place] = {"why": str(reason)}
    replies = yield from _ask_once(blind)
    said |= yield from _compare(case, {place: (blind[place], reply) for place, reply in replies.items()}, judge)
    return [
        _verdict(by_id[chain_id], arm, judge) | _persuasion(case, arm, said[chain_id, arm])
        for chain_id, arm in sorted(said)
    ]


def _blind(case: Row, chain: Row, arm: str, judge: Judge) -> Request:
    """The question as an arm puts it.

    Raises:
        Rejected: PROMPT_TOO_LONG.
    """
    reasoning = None if arm == "closed_book" else chain["reasoning"]
    hidden = (case["answer"], *(case["answer_names"] or ())) if arm == "masked" else ()
    return answer_blind.request(case, reasoning, judge.model, judge.verify.seed, hidden=hidden)


def _compare(
    case: Row, answers: dict[tuple[str, str], tuple[Request, Row]], judge: Judge
) -> Generator[list[Request], list[Row], dict[tuple[str, str], Row]]:
    """Of each blind answer what its verdict says: compared by key or spelling, and by a model where spelling differs."""
    found: dict[tuple[str, str], Row] = {}
    open_answers: dict[tuple[str, str], str] = {}
    for place, (request, reply) in answers.items():
        try:
            key, given = answer_blind.parse(request, answered(reply))
        except Rejected as reason:
            found[place] = {"why": str(reason)}
            continue
        if key is not None:
            found[place] = {"answer_key": key, "agrees": key == case["answer_key"], "method": "match"}
        elif judge_answers.same_text(case["answer"], given):
            found[place] = {"agrees": True, "method": "match", "why": given}
        else:
            open_answers[place] = given
    asked: dict[tuple[str, str], Request] = {}
    for place, given in open_answers.items():
        try:
            asked[place] = judge_answers.request(case, given, judge.model, judge.verify.seed)
        except Rejected as reason:
            found[place] = {"why": str(reason)}
    replies = yield from _ask_once(asked, LastRound)
    for place, reply in replies.items():
        try:
            agrees, why = judge_answers.parse(answered(reply))
            found[place] = {"agrees": agrees, "method": "model", "why": f"{open_answers[place]}: {why}"}
        except Rejected as reason:
            found[place] = {"why": str(reason)}
    return found


def _ask_once(
    asked: Mapping[tuple[str, str], Request], one_round: type[list[Request]] = list
) -> Generator[list[Request], list[Row], dict[tuple[str, str], Row]]:
    """The reply to each request; equal ones are one."""
    once = one_round({request.request_id: request for request in asked.values()}.values())
    replies = yield once
    said = {request.request_id: reply for request, reply in zip(once, replies, strict=True)}
    return {place: said[request.request_id] for place, request in asked.items()}


def _persuasion(case: Row, arm: str, said: Row) -> Row:
    """What is said, with whether it is the answer that the chain was written towards."""
    if arm == "closed_book" or said.get("agrees") is None:
        return said
    rival = _rival(case) if arm == "foil" else None
    return said | {"persuaded": said["answer_key"] == rival["key"] if rival else said["agrees"]}


def _verdict(chain: Row, arm: str, judge: Judge | None = None) -> Row:
    """A verdict that says nothing yet."""
    return {
        "chain_id": chain["chain_id"],
        "question_id": chain["question_id"],
        "arm": arm,
        "answer_key": None,
        "agrees": None,
        "persuaded": None,
        "method": "not_judged",
        "judge_model": judge.model.label if judge else None,
        "same_model": judge.same_model if judge else None,
        "why": None,
    }
