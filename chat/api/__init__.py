"""The HTTP API: sessions, links to them, and the service's own state; see `/openapi.json`."""

from ninja.errors import AuthenticationError, ValidationError

from chat.api.names import InvalidName
from chat.api.problems import (
    handle_chat_error,
    handle_invalid_name,
    handle_invalid_request,
    handle_missing_token,
    handle_share_error,
)
from chat.api.service_routes import router as service_router
from chat.api.session_routes import router as session_router
from chat.api.share_routes import router as share_router
from chat.apidocs.openapi import DESCRIPTION, ChatApi
from chat.errors import ChatError
from chat.store.shares import ShareError

api = ChatApi(title="Chat", version="1.0.0", description=DESCRIPTION, urls_namespace="api")
api.add_router("", service_router)
api.add_router("", session_router)
api.add_router("", share_router)
api.exception_handler(InvalidName)(handle_invalid_name)
api.exception_handler(ValidationError)(handle_invalid_request)
api.exception_handler(AuthenticationError)(handle_missing_token)
api.exception_handler(ChatError)(handle_chat_error)
api.exception_handler(ShareError)(handle_share_error)
