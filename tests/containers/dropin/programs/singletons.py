"""Singletons: one object, in its several meanings."""

import contextvars
import threading
from typing import Any

from dependency_injector import containers, providers
from dependency_injector.errors import Error


class Ledger:
    def __init__(self, currency: str = "EUR") -> None:
        self.currency = currency


class Office:
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger


class Branch(containers.DeclarativeContainer):
    ledger = providers.Singleton(Ledger)


class Bank(containers.DeclarativeContainer):
    ledger = providers.Singleton(Ledger, currency="USD")
    office = providers.Singleton(Office, ledger=ledger)
    branch = providers.Container(Branch)


def in_thread(call: Any) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join()
    return found[0]


def program_one_object_for_every_call():
    bank = Bank()
    assert bank.ledger() is bank.ledger() is bank.office().ledger
    assert bank.ledger().currency == "USD"
    return bank


def program_every_container_has_its_own():
    one, two = Bank(), Bank()
    assert one.ledger() is not two.ledger()
    return one, two


def program_reset_makes_a_new_one():
    ledger = providers.Singleton(Ledger)
    before = ledger()
    ledger.reset()
    assert ledger() is not before


def program_reset_leaves_what_depends_on_it():
    bank = Bank()
    office = bank.office()
    bank.ledger.reset()
    assert bank.office() is office
    assert bank.ledger() is not office.ledger


def program_reset_as_a_block():
    ledger = providers.Singleton(Ledger)
    before = ledger()
    with ledger.reset():
        inside = ledger()
        assert inside is not before
        assert ledger() is inside
    assert ledger() not in {before, inside}


def program_full_reset_reaches_what_it_is_made_of():
    bank = Bank()
    office, ledger = bank.office(), bank.ledger()
    bank.office.full_reset()
    assert bank.office() is not office
    assert bank.ledger() is not ledger
    with bank.office.full_reset():
        inside = bank.office()
    assert bank.office() is not inside
    assert bank.office().ledger is not inside.ledger


def program_reset_singletons_reaches_parts():
    bank = Bank()
    before = bank.ledger(), bank.office(), bank.branch().ledger(), bank.branch.ledger()
    assert before[2] is before[3]
    bank.reset_singletons()
    after = bank.ledger(), bank.office(), bank.branch().ledger(), bank.branch.ledger()
    assert not set(before) & set(after)
    return bank


def program_reset_singletons_as_a_block():
    bank = Bank()
    before = bank.ledger()
    with bank.reset_singletons() as same:
        assert same is bank
        inside = bank.ledger()
        assert inside is not before
    assert bank.ledger() not in {before, inside}


def program_a_thread_local_singleton():
    ledger = providers.ThreadLocalSingleton(Ledger)
    mine = ledger()
    assert ledger() is mine
    assert in_thread(ledger) is not mine
    assert in_thread(lambda: ledger() is ledger())
    ledger.reset()
    assert ledger() is not mine


def program_a_thread_safe_singleton():
    started = threading.Barrier(8)
    made: list[Ledger] = []

    def make() -> Ledger:
        made.append(Ledger())
        return made[-1]

    ledger = providers.ThreadSafeSingleton(make)

    def ask() -> None:
        started.wait()
        ledger()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    ledger.reset()
    assert ledger() is made[1]


def program_a_context_local_singleton():
    class Session(containers.DeclarativeContainer):
        ledger = providers.ContextLocalSingleton(Ledger)
        office = providers.Factory(Office, ledger)

    session = Session()
    mine = session.ledger()
    assert session.office().ledger is mine
    other = contextvars.Context().run(session.ledger)
    assert other is not mine
    session.ledger.reset()
    assert session.ledger() is not mine
    return session


def program_a_specialised_singleton_accepts_subclasses_only():
    class LedgerSingleton(providers.Singleton):
        provided_type = Ledger

    class Blue(Ledger): ...

    assert isinstance(LedgerSingleton(Blue)(), Blue)
    try:
        LedgerSingleton(Office)
    except Error as error:
        assert "Ledger" in str(error)
    else:
        raise AssertionError


def program_delegated_singletons_inject_themselves():
    ledger = providers.DelegatedSingleton(Ledger)
    assert providers.Factory(Office, ledger)().ledger is ledger
    safe = providers.DelegatedThreadSafeSingleton(Ledger)
    assert providers.Factory(Office, safe)().ledger is safe
    local = providers.DelegatedThreadLocalSingleton(Ledger)
    assert providers.Factory(Office, local)().ledger is local
    held = providers.Singleton(Ledger)
    assert providers.Factory(Office, held.provider)().ledger is held
    assert providers.Factory(Office, providers.SingletonDelegate(held))().ledger is held


def program_an_abstract_singleton_waits_for_its_override():
    class Abstract(containers.DeclarativeContainer):
        ledger = providers.AbstractSingleton(Ledger)
        office = providers.Factory(Office, ledger)

    bank = Abstract(ledger=providers.Singleton(Ledger, "CHF"))
    assert bank.office().ledger is bank.ledger()
    assert bank.ledger().currency == "CHF"
    bank.ledger.reset()
    try:
        Abstract().ledger()
    except Error:
        return bank
    raise AssertionError


def program_arguments_of_the_first_call_count():
    ledger = providers.Singleton(Ledger)
    assert ledger("SEK").currency == "SEK"
    assert ledger("NOK").currency == "SEK"


def program_attributes_are_set_once():
    ledger = providers.Singleton(Ledger).add_attributes(owner="Ada")
    assert ledger().owner == "Ada"
    ledger().owner = "Bob"
    assert ledger().owner == "Bob"


def program_injections_changed_before_the_first_call_count():
    ledger = providers.Singleton(Ledger)
    ledger.set_args("DKK")
    assert ledger().currency == "DKK"
    ledger.set_kwargs(currency="ISK").clear_args()
    assert ledger().currency == "DKK"
    ledger.reset()
    assert ledger().currency == "ISK"
    ledger.set_provides(Office)
    assert ledger.cls is Office


def program_one_singleton_in_two_containers():
    shared = providers.Singleton(Ledger)

    class North(containers.DeclarativeContainer):
        ledger = shared

    class South(containers.DeclarativeContainer):
        ledger = shared

    assert North.ledger() is South.ledger() is shared()
    assert North().ledger() is not South().ledger()


def program_a_failed_construction_can_be_tried_again():
    answers = iter([RuntimeError("not yet"), Ledger()])

    def make() -> Ledger:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    ledger = providers.Singleton(make)
    try:
        ledger()
    except RuntimeError as error:
        assert str(error) == "not yet"
    assert ledger() is ledger()


def program_a_singleton_of_a_function_keeps_its_result():
    numbers = iter(range(9))
    number = providers.Singleton(lambda: next(numbers) + 1)
    assert [number(), number()] == [1, 1]


def program_class_level_singletons_are_objects_too():
    assert Bank.ledger() is Bank.ledger()
    assert Bank().ledger() is not Bank.ledger()
    Bank.ledger.reset()
