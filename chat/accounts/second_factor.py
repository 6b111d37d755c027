"""The second factor: a code of an authenticator app (TOTP), asked for with the password."""

from typing import Any

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.signals import user_login_failed
from django.utils.translation import gettext_lazy as _
from django_otp import match_token
from django_otp.plugins.otp_totp.models import TOTPDevice

DEVICE_NAME = "authenticator"


class SecondFactorForm(AdminAuthenticationForm):
    """Asks for name, password and code at once, and does not say which of them is wrong."""

    # Not required: a form without a code must not say whether the password is right.
    code = forms.CharField(
        label=_("Code"),
        required=False,
        max_length=16,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )

    def clean(self) -> dict[str, Any]:
        """Check the password, then the code; a wrong code counts as a failed log-in."""
        cleaned = super().clean()
        user: Any = self.get_user()
        device = match_token(user, cleaned.get("code", "").replace(" ", ""))
        if device is None:
            self.user_cache = None
            credentials = {"username": cleaned.get("username")}
            user_login_failed.send(__name__, credentials=credentials, request=self.request)
            raise self.get_invalid_login_error()
        user.otp_device = device
        return cleaned


def enroll(user: Any) -> TOTPDevice:
    """Replace the user's authenticators with a new one and return it."""
    remove(user)
    return TOTPDevice.objects.create(user=user, name=DEVICE_NAME)


def remove(user: Any) -> None:
    """Remove the user's authenticators."""
    TOTPDevice.objects.filter(user=user).delete()
