"""Console: register, log in, go to another organisation, log out."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request
from pydantic import ValidationError
from starlette.responses import Response

from api import sessions
from api.authentication import Principal
from api.dependencies import Caller, LoginsDependency
from api.routes.console_pages import ConsoleRoute, Shown, safe_next
from perdure.domain.passwords import MIN_LENGTH
from perdure.errors import (
    ConflictError,
    InvalidInputError,
    PermissionDeniedError,
    QuotaExceededError,
    UnauthenticatedError,
)
from perdure.schemas.auth import LoginCreate, RegisterCreate

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)

_ORGANISATIONS = "/organisations"
_FIELDS = ("name", "organisation", "email", "password")
_FAULTS = {
    "name": "Enter your name, with at most 200 characters.",
    "organisation": "Enter what the organisation is called, with at most 200 characters.",
    "email": "Enter a complete e-mail address, like ada@example.org.",
    "password": "This password is too long.",
}


async def _session_of(caller: Caller) -> Principal:
    """Whoever is logged in to the console: a key or a token is for one organisation, and opens no other."""
    if caller.via != "session":
        raise PermissionDeniedError("Log in to the console: API keys and access tokens open no organisation.")
    return caller


Person = Annotated[Principal, Depends(_session_of)]


@router.get("/")
async def home(pages: Shown) -> Response:
    """The dashboard is the first page."""
    return pages.redirect("/operations")


@router.get("/login")
async def show_login(request: Request, pages: Shown, next: str = "/operations") -> Response:
    """The form; who is logged in already goes on."""
    if await sessions.current_session(request) is not None:
        return pages.redirect(safe_next(next))
    return pages.outside("login.html", fault=None, email="", next=safe_next(next))


@router.post("/login")
async def log_in(
    *,
    request: Request,
    pages: Shown,
    logins: LoginsDependency,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/operations",
) -> Response:
    """Check the password and start a session; who is in several organisations says in which."""
    sessions.check_same_origin(request)
    try:
        body = LoginCreate(email=email, password=password)
        who = await logins.log_in(body, sessions.visitor(request))
    except (ValidationError, UnauthenticatedError, QuotaExceededError) as error:
        fault = "E-mail or password is wrong." if isinstance(error, ValidationError) else str(error)
        status = 429 if isinstance(error, QuotaExceededError) else 401
        return pages.outside("login.html", http_status=status, fault=fault, email=email, next=safe_next(next))
    onward = f"{_ORGANISATIONS}?next={quote(safe_next(next), safe='')}" if who.elsewhere else safe_next(next)
    response = pages.redirect(onward)
    await sessions.start_session(request, response, who)
    return response


@router.get(_ORGANISATIONS)
async def list_organisations(
    caller: Person, pages: Shown, logins: LoginsDependency, next: str = "/operations"
) -> Response:
    """The organisations of whoever looks; one of them is open in this browser."""
    memberships = await logins.memberships(caller.user_id)
    return await pages.inside(
        "organisations.html",
        caller,
        "organisations",
        memberships=memberships,
        open_id=caller.organisation_id,
        next=safe_next(next),
    )


@router.post(_ORGANISATIONS)
async def open_organisation(
    *,
    request: Request,
    caller: Person,
    pages: Shown,
    logins: LoginsDependency,
    organisation_id: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/operations",
) -> Response:
    """Go on in another organisation, in a session of its own: the one before ends."""
    response = pages.redirect(safe_next(next))
    if organisation_id != caller.organisation_id:
        who = await logins.enter(caller.user_id, organisation_id)
        await sessions.start_session(request, response, who)
    return response


def _register_page(
    pages: Shown, values: dict[str, str], faults: dict[str, str], fault: str | None = None
) -> Response:
    return pages.outside(
        "register.html",
        http_status=422 if fault or faults else 200,
        fault=fault,
        values={field: values.get(field, "") for field in _FIELDS},
        faults={field: faults.get(field, "") for field in _FIELDS},
        password_hint=f"At least {MIN_LENGTH} characters. A sentence is easiest to keep in mind.",
        password_min_length=MIN_LENGTH,
    )


@router.get("/register")
async def show_register(request: Request, pages: Shown) -> Response:
    """The form; who is logged in already goes on."""
    if await sessions.current_session(request) is not None:
        return pages.redirect("/operations")
    return _register_page(pages, {}, {})


@router.post("/register")
async def register(
    *,
    request: Request,
    pages: Shown,
    logins: LoginsDependency,
    name: Annotated[str, Form()] = "",
    organisation: Annotated[str, Form()] = "",
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
) -> Response:
    """Make the account and its organisation, and start a session."""
    sessions.check_same_origin(request)
    values = {"name": name, "organisation": organisation, "email": email}
    try:
        body = RegisterCreate(name=name, organisation=organisation, email=email, password=password)
        who = await logins.register(body, sessions.visitor(request))
    except ValidationError as error:
        faults = {str(each["loc"][0]): _FAULTS[str(each["loc"][0])] for each in error.errors()}
        return _register_page(pages, values, faults)
    except InvalidInputError as error:
        return _register_page(pages, values, {"password": str(error)})
    except ConflictError as error:
        return _register_page(pages, values, {"email": str(error)})
    except QuotaExceededError as error:
        return _register_page(pages, values, {}, str(error))
    response = pages.redirect("/documents")
    await sessions.start_session(request, response, who)
    return response


@router.post("/logout")
async def log_out(request: Request, pages: Shown) -> Response:
    """End the session of this browser."""
    principal = await sessions.current_session(request)
    response = pages.redirect("/login", "logged-out")
    if principal is not None:
        await sessions.check_csrf(request, principal)
        await sessions.end_session(request, response)
    return response
