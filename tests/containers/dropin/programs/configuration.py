"""Configuration: from dicts, files, the environment and models."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

from dependency_injector import containers, providers
from dependency_injector.errors import Error


class Mailer:
    def __init__(self, host: str, port: int, delay: float = 0.0) -> None:
        self.host = host
        self.port = port
        self.delay = delay


class Post(containers.DeclarativeContainer):
    config = providers.Configuration()
    mailer = providers.Factory(
        Mailer,
        host=config.mail.host,
        port=config.mail.port.as_int(),
        delay=config.mail.delay.as_float(),
    )


@contextmanager
def file_with(text: str, suffix: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"settings{suffix}")
        file.write_text(text, encoding="utf-8")
        yield str(file)


def raised(kind: type[BaseException], call: Any, *args: Any, **kwargs: Any) -> bool:
    try:
        call(*args, **kwargs)
    except kind:
        return True
    return False


def program_from_a_dict():
    post = Post()
    post.config.from_dict({"mail": {"host": "relay", "port": "25", "delay": "0.5"}})
    mailer = post.mailer()
    assert (mailer.host, mailer.port, mailer.delay) == ("relay", 25, 0.5)
    assert post.config() == {"mail": {"host": "relay", "port": "25", "delay": "0.5"}}
    assert post.config.mail.host() == "relay"
    assert post.config.mail() == {"host": "relay", "port": "25", "delay": "0.5"}
    return post


def program_later_sources_are_merged_over_earlier_ones():
    post = Post()
    post.config.from_dict({"mail": {"host": "relay", "port": 25}, "kept": [1]})
    post.config.from_dict({"mail": {"port": 26, "delay": 1}})
    assert post.config() == {"mail": {"host": "relay", "port": 26, "delay": 1}, "kept": [1]}
    assert post.mailer().port == 26
    return post


def program_from_yaml_with_environment_in_it():
    text = "mail:\n  host: ${POST_HOST}\n  port: ${POST_PORT:2525}\n  delay: 1\n"
    post = Post()
    with file_with(text, ".yml") as path, patch.dict(os.environ, {"POST_HOST": "outside"}):
        post.config.from_yaml(path)
    assert (post.mailer().host, post.mailer().port) == ("outside", 2525)
    with file_with("x: ${POST_NOWHERE}", ".yml") as path:
        assert raised(ValueError, post.config.from_yaml, path, envs_required=True)
    post.config.from_yaml("nowhere.yml")
    assert raised(IOError, post.config.from_yaml, "nowhere.yml", required=True)
    return post


def program_from_json_and_ini():
    post = Post()
    with file_with(json.dumps({"mail": {"host": "j", "port": 1, "delay": 2}}), ".json") as path:
        post.config.from_json(path)
    assert post.mailer().host == "j"
    with file_with("[mail]\nhost = i\nport = 7\n", ".ini") as path:
        post.config.from_ini(path)
    assert (post.mailer().host, post.mailer().port, post.mailer().delay) == ("i", 7, 2.0)
    return post


def program_from_the_environment():
    post = Post()
    with patch.dict(os.environ, {"POST_HOST": "env", "POST_PORT": "99"}):
        post.config.mail.host.from_env("POST_HOST")
        post.config.mail.port.from_env("POST_PORT", as_=int)
    post.config.mail.delay.from_env("POST_DELAY", default=3)
    assert post.config.mail() == {"host": "env", "port": 99, "delay": 3}
    assert post.mailer().delay == 3.0
    assert raised(ValueError, post.config.mail.host.from_env, "POST_NOWHERE", required=True)
    return post


def program_from_single_values():
    post = Post()
    post.config.mail.host.from_value("v")
    post.config.from_value({"mail": {"host": "w", "port": 3, "delay": 4}})
    assert post.mailer().host == "w"
    post.config.set("mail.host", "x")
    assert post.mailer().host == "x"
    post.config.mail.update({"host": "y"})
    assert post.config.mail.host() == "y"
    return post


def program_files_named_in_the_declaration_are_loaded_with_the_container():
    with file_with("mail: {host: declared, port: 1, delay: 0}", ".yml") as path:

        class Declared(Post):
            config = providers.Configuration(yaml_files=[path])
            mailer = providers.Factory(
                Mailer, config.mail.host, config.mail.port, config.mail.delay
            )

        class Waiting(Declared):
            auto_load_config = False

        assert Declared().mailer().host == "declared"
        waiting = Waiting()
        assert waiting.config.mail.host() is None
        waiting.load_config()
        assert waiting.mailer().host == "declared"
        return waiting


def program_defaults_in_the_declaration():
    class Defaults(containers.DeclarativeContainer):
        config = providers.Configuration(default={"mail": {"host": "d", "port": 8}})
        mailer = providers.Factory(Mailer, config.mail.host, config.mail.port)

    post = Defaults()
    assert post.mailer().host == "d"
    post.config.from_dict({"mail": {"host": "e"}})
    assert (post.mailer().host, post.mailer().port) == ("e", 8)
    post.config.reset_override()
    return post


def program_values_are_cast_where_they_are_used():
    config = providers.Configuration()
    config.from_dict({"price": "1.50", "flag": "yes", "count": "3"})
    assert config.price.as_(Decimal)() == Decimal("1.50")
    assert config.price.as_float()() == 1.5
    assert config.count.as_int()() == 3
    assert config.flag.as_(lambda word: word == "yes")() is True
    assert config.price.as_(round, 1) is not None
    assert raised(ValueError, config.flag.as_int())


def program_what_is_not_there_is_none_or_an_error():
    config = providers.Configuration()
    assert config.no.such.thing() is None
    assert raised(Error, config.no.such.thing.required())
    assert raised(Error, config.no.such.required().as_int())
    strict = providers.Configuration(strict=True)
    assert raised(Error, strict.no.such)
    assert raised(ValueError, strict.from_dict, {})
    strict.from_dict({"no": {"such": 1}})
    assert strict.no.such() == 1


def program_required_is_told_when_the_object_is_made():
    class Strict(containers.DeclarativeContainer):
        config = providers.Configuration()
        mailer = providers.Factory(Mailer, config.host.required(), config.port.required().as_int())

    post = Strict()
    assert raised(Error, post.mailer)
    post.config.from_dict({"host": "h", "port": "5"})
    assert post.mailer().port == 5
    return post


def program_an_option_may_choose_the_key_of_another():
    config = providers.Configuration(
        default={"use": "b", "all": {"a": {"host": "one"}, "b": {"host": "two"}}}
    )
    chosen = config.all[config.use]
    assert chosen() == {"host": "two"}
    assert chosen.host() == "two"
    assert config["all"]["a"]["host"]() == "one"
    with config.use.override("a"):
        assert chosen.host() == "one"


def program_an_option_can_be_overridden():
    post = Post()
    post.config.from_dict({"mail": {"host": "h", "port": 1, "delay": 0}})
    with post.config.mail.host.override("other"):
        assert post.mailer().host == "other"
    assert post.mailer().host == "h"
    with post.config.override({"mail": {"host": "whole", "port": 2, "delay": 0}}):
        assert (post.mailer().host, post.mailer().port) == ("whole", 2)
    assert post.mailer().port == 1
    return post


def program_a_name_and_its_options_names():
    config = providers.Configuration("settings")
    assert config.get_name() == "settings"
    assert config.mail.host.get_name() == "settings.mail.host"
    assert providers.Configuration().get_name() == "config"


def program_each_container_has_its_own_values():
    one, two = Post(), Post()
    one.config.from_dict({"mail": {"host": "one", "port": 1, "delay": 0}})
    two.config.from_dict({"mail": {"host": "two", "port": 2, "delay": 0}})
    assert (one.mailer().host, two.mailer().host) == ("one", "two")
    return one, two


def program_one_configuration_feeds_parts():
    class Part(containers.DeclarativeContainer):
        config = providers.Configuration()
        mailer = providers.Singleton(Mailer, config.host, config.port.as_int())

    class Whole(containers.DeclarativeContainer):
        config = providers.Configuration()
        first = providers.Container(Part, config=config.first)
        second = providers.Container(Part, config=config.second)

    whole = Whole()
    whole.config.from_dict(
        {"first": {"host": "f", "port": "1"}, "second": {"host": "s", "port": "2"}}
    )
    assert (whole.first.mailer().host, whole.second.mailer().port) == ("f", 2)
    with whole.config.first.host.override("changed"):
        assert whole.first.config.host() == "changed"
    return whole


def program_a_singleton_is_made_from_the_values_of_its_time():
    class Once(containers.DeclarativeContainer):
        config = providers.Configuration()
        mailer = providers.Singleton(Mailer, config.host, config.port)

    post = Once()
    post.config.from_dict({"host": "a", "port": 1})
    first = post.mailer()
    post.config.from_dict({"host": "b"})
    assert post.mailer() is first
    post.reset_singletons()
    assert post.mailer().host == "b"
    return post


def program_values_may_be_given_with_the_container():
    post = Post(config={"mail": {"host": "kw", "port": "3", "delay": 0}})
    assert (post.mailer().host, post.mailer().port) == ("kw", 3)
    return post
