"""Ways to name modules."""

from dependency_injector import containers, providers

from . import handlers


class Words(containers.DeclarativeContainer):
    word = providers.Object("word")


class Declared(containers.DeclarativeContainer):
    wiring_config = containers.WiringConfiguration(modules=[".handlers"])
    word = providers.Object("declared")


class FromPackage(containers.DeclarativeContainer):
    wiring_config = containers.WiringConfiguration(modules=[".handlers"], from_package=__package__)
    word = providers.Object("package")


def program_names_relative_to_a_given_package():
    words = Words()
    words.wire(modules=[".handlers"], from_package=__package__)
    assert handlers.handle() == "word"
    words.unwire()
    words.wire(packages=["."], from_package=__package__)
    assert handlers.handle() == "word"
    words.unwire()
    return words


def program_names_relative_to_the_caller():
    words = Words()
    words.wire(modules=[".handlers"])
    assert handlers.handle() == "word"
    words.unwire()
    return words


def program_names_relative_to_the_declaration():
    declared = Declared()
    assert handlers.handle() == "declared"
    declared.unwire()
    return declared


def program_names_relative_to_a_declared_package():
    declared = FromPackage()
    assert handlers.handle() == "package"
    declared.unwire()
    return declared


def program_absolute_names():
    words = Words()
    words.wire(modules=[handlers.__name__])
    assert handlers.handle() == "word"
    words.unwire()
    words.wire(packages=[__package__ or ""])
    assert handlers.handle() == "word"
    words.unwire()
    return words


def program_nothing_named_wires_nothing():
    words = Words()
    words.wire(modules=[], packages=[])
    assert not words.wired_to_modules
    return words
