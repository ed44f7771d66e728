"""Configuration from settings models."""

from dependency_injector import containers, providers
from pydantic import BaseModel
from pydantic_settings import BaseSettings


class Mail(BaseModel):
    host: str = "model"
    port: int = 11


class Settings(BaseSettings):
    mail: Mail = Mail()


class Post(containers.DeclarativeContainer):
    config = providers.Configuration()
    address = providers.Callable("{}:{}".format, config.mail.host, config.mail.port.as_int())


class Declared(containers.DeclarativeContainer):
    config = providers.Configuration(pydantic_settings=[Settings(mail=Mail(host="declared"))])
    host = providers.Callable(str, config.mail.host)


def program_from_a_settings_model():
    post = Post()
    post.config.from_pydantic(Settings())
    assert post.address() == "model:11"
    post.config.from_pydantic(Settings(mail=Mail(port=12)))
    assert post.address() == "model:12"
    return post


def program_models_named_in_the_declaration_are_loaded_with_the_container():
    declared = Declared()
    assert declared.host() == "declared"
    return declared
