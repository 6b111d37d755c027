// From Django's JavaScript catalogue.
declare function gettext(text: string): string;
declare function ngettext(one: string, many: string, count: number): string;
declare function pgettext(context: string, text: string): string;
declare function interpolate(text: string, values: object, named: true): string;
declare function get_format(name: string): string;
