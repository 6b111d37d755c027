"""The admin's form of the branding. Lists are entered as lines, and the logo as a file."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from chat.branding import loader, rules
from chat.branding.colours import check_accent, check_accent_dark
from chat.branding.logo import MAX_LOGO_BYTES, parse_logo
from chat.models import SiteBranding

if TYPE_CHECKING:
    BrandingModelForm = forms.ModelForm[SiteBranding]
else:
    BrandingModelForm = forms.ModelForm


def follows(rule: Callable[[Any], object]) -> Callable[[Any], None]:
    """Return a validator of forms for a rule that raises ValueError with a sentence."""

    def check(value: Any) -> None:
        try:
            rule(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None

    return check


class OneLineField(forms.CharField):
    """A text whose line breaks become spaces."""

    widget = forms.Textarea(attrs={"rows": 2})

    def to_python(self, value: Any) -> str:
        """Return the text as one line."""
        return " ".join((super().to_python(value) or "").split())


class MarkdownField(forms.CharField):
    """A text whose lines end as they do in the settings; browsers send CRLF."""

    widget = forms.Textarea(attrs={"rows": 8})

    def to_python(self, value: Any) -> str:
        """Return the text."""
        return (super().to_python(value) or "").replace("\r\n", "\n")


class LinesField(forms.CharField):
    """A list of texts, one per line."""

    widget = forms.Textarea(attrs={"rows": 4})

    def prepare_value(self, value: Any) -> Any:
        """Return a list as lines."""
        return "\n".join(map(self._line, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """Return lines as a list."""
        if isinstance(value, list):
            return value
        lines = map(str.strip, (super().to_python(value) or "").splitlines())
        return [self._item(line) for line in lines if line]

    def _line(self, item: Any) -> str:
        return str(item)

    def _item(self, line: str) -> Any:
        return line


class LinksField(LinesField):
    """Pairs of label and URL, one per line, the URL last."""

    def _line(self, item: Any) -> str:
        return " ".join(item)

    def _item(self, line: str) -> list[str]:
        label, __, url = line.rpartition(" ")
        if not label:
            raise ValidationError("Must have a label and a URL on each line: Imprint /imprint")
        return [label.strip(), url]


class BrandingForm(BrandingModelForm):
    """Checks the values by the same rules as the settings."""

    name = forms.CharField(
        required=False,
        max_length=rules.MAX_NAME_CHARS,
        validators=[follows(rules.check_name)],
        help_text="In titles, on the pages and in the admin.",
    )
    logo_file = forms.FileField(
        label="Logo",
        required=False,
        help_text=f"PNG, JPEG, WebP or SVG, at most {MAX_LOGO_BYTES // 1024} KiB. "
        "It is shown 64 pixels high.",
    )
    remove_logo = forms.BooleanField(label="Remove this logo", required=False)
    accent = forms.CharField(
        label="Accent colour",
        required=False,
        validators=[follows(check_accent)],
        help_text="Such as #2a6a5d. Text in this colour must be readable on a light page.",
    )
    accent_dark = forms.CharField(
        label="Accent colour on dark pages",
        required=False,
        validators=[follows(check_accent_dark)],
        help_text="Empty: a lighter shade of the accent colour.",
    )
    welcome = MarkdownField(
        label="Welcome text",
        required=False,
        validators=[follows(rules.check_welcome)],
        help_text="Markdown, above the name form.",
    )
    suggestions = LinesField(
        required=False,
        validators=[follows(rules.check_suggestions)],
        help_text=f"At most {rules.MAX_SUGGESTIONS} questions, one per line. An empty "
        "conversation offers them.",
    )
    disclaimer = OneLineField(
        required=False,
        validators=[follows(rules.check_disclaimer)],
        help_text="Below the message box.",
    )
    banner = OneLineField(
        required=False,
        validators=[follows(rules.check_banner)],
        help_text="Above the page. A changed text is shown again to those who closed it.",
    )
    banner_level = forms.ChoiceField(choices=[(level, level) for level in rules.LEVELS])
    links = LinksField(
        required=False,
        validators=[follows(rules.check_pairs)],
        help_text=f"At most {rules.MAX_LINKS}, one per line: label and https:// URL or path, "
        "such as: Imprint https://example.org/imprint",
    )
    language = forms.ChoiceField(
        label="Default language",
        required=False,
        choices=[("", "As in the settings"), *settings.LANGUAGES],
        help_text="For visitors whose browser asks for none of the page's languages.",
    )

    class Meta:
        model = SiteBranding
        fields = (
            "name",
            "accent",
            "accent_dark",
            "welcome",
            "suggestions",
            "disclaimer",
            "banner",
            "banner_level",
            "banner_closable",
            "links",
            "language",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Show the settings' values as placeholders."""
        super().__init__(*args, **kwargs)
        defaults = loader.defaults()
        placeholders = {
            "name": defaults.name,
            "accent": defaults.accent,
            "accent_dark": defaults.accent_dark,
            "welcome": defaults.welcome,
            "suggestions": "\n".join(defaults.suggestions),
            "disclaimer": defaults.disclaimer,
            "banner": defaults.banner.text if defaults.banner else "",
            "links": "\n".join(f"{link.label} {link.url}" for link in defaults.links),
        }
        for name, text in placeholders.items():
            if text and name in self.fields:
                self.fields[name].widget.attrs["placeholder"] = text

    def clean_logo_file(self) -> Any:
        """Check a new logo and put it into the row."""
        file: Any = self.cleaned_data["logo_file"]
        if file is not None:
            content = file.read(MAX_LOGO_BYTES + 1)
            follows(parse_logo)(content)
            self.instance.logo = content
        return file

    def clean_remove_logo(self) -> bool:
        """Take the logo out of the row, unless there is a new one."""
        removed = bool(self.cleaned_data["remove_logo"])
        if removed and not self.cleaned_data.get("logo_file"):
            self.instance.logo = b""
        return removed
