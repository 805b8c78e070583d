"""This will name the countries that a host may say a machine is in, and the continents they are on.

Source: ISO 3166-1 as the tz database has it (iso3166.tab, public domain), names shortened, read
2026-11-22. A country on two continents is on the one of its capital.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Region(StrEnum):
    """A continent, by its code. EU is all of Europe, as at Vast.ai, and not the Union."""

    AFRICA = "AF"
    ANTARCTICA = "AN"
    ASIA = "AS"
    EUROPE = "EU"
    NORTH_AMERICA = "NA"
    OCEANIA = "OC"
    SOUTH_AMERICA = "SA"

    @property
    def full_name(self) -> str:
        """Return its name: ``North America``."""
        return self.name.replace("_", " ").title()


_COUNTRIES = {
    Region.AFRICA: (
        "AO Angola, BF Burkina Faso, BI Burundi, BJ Benin, BW Botswana, CD DR Congo, CF Central "
        "African Republic, CG Congo, CI Côte d’Ivoire, CM Cameroon, CV Cape Verde, DJ Djibouti, "
        "DZ Algeria, EG Egypt, EH Western Sahara, ER Eritrea, ET Ethiopia, GA Gabon, GH Ghana, GM "
        "Gambia, GN Guinea, GQ Equatorial Guinea, GW Guinea-Bissau, KE Kenya, KM Comoros, LR "
        "Liberia, LS Lesotho, LY Libya, MA Morocco, MG Madagascar, ML Mali, MR Mauritania, MU "
        "Mauritius, MW Malawi, MZ Mozambique, NA Namibia, NE Niger, NG Nigeria, RE Réunion, RW "
        "Rwanda, SC Seychelles, SD Sudan, SH Saint Helena, SL Sierra Leone, SN Senegal, SO "
        "Somalia, SS South Sudan, ST São Tomé and Príncipe, SZ Eswatini, TD Chad, TG Togo, TN "
        "Tunisia, TZ Tanzania, UG Uganda, YT Mayotte, ZA South Africa, ZM Zambia, ZW Zimbabwe"
    ),
    Region.ANTARCTICA: (
        "AQ Antarctica, BV Bouvet Island, GS South Georgia and the South Sandwich Islands, HM "
        "Heard Island and McDonald Islands, TF French Southern Territories"
    ),
    Region.ASIA: (
        "AE United Arab Emirates, AF Afghanistan, AM Armenia, AZ Azerbaijan, BD Bangladesh, BH "
        "Bahrain, BN Brunei, BT Bhutan, CC Cocos Islands, CN China, CX Christmas Island, GE "
        "Georgia, HK Hong Kong, ID Indonesia, IL Israel, IN India, IO British Indian Ocean "
        "Territory, IQ Iraq, IR Iran, JO Jordan, JP Japan, KG Kyrgyzstan, KH Cambodia, KP North "
        "Korea, KR South Korea, KW Kuwait, KZ Kazakhstan, LA Laos, LB Lebanon, LK Sri Lanka, MM "
        "Myanmar, MN Mongolia, MO Macau, MV Maldives, MY Malaysia, NP Nepal, OM Oman, PH "
        "Philippines, PK Pakistan, PS Palestine, QA Qatar, SA Saudi Arabia, SG Singapore, SY "
        "Syria, TH Thailand, TJ Tajikistan, TL Timor-Leste, TM Turkmenistan, TR Turkey, TW "
        "Taiwan, UZ Uzbekistan, VN Vietnam, YE Yemen"
    ),
    Region.EUROPE: (
        "AD Andorra, AL Albania, AT Austria, AX Åland Islands, BA Bosnia and Herzegovina, BE "
        "Belgium, BG Bulgaria, BY Belarus, CH Switzerland, CY Cyprus, CZ Czechia, DE Germany, DK "
        "Denmark, EE Estonia, ES Spain, FI Finland, FO Faroe Islands, FR France, GB United "
        "Kingdom, GG Guernsey, GI Gibraltar, GR Greece, HR Croatia, HU Hungary, IE Ireland, IM "
        "Isle of Man, IS Iceland, IT Italy, JE Jersey, LI Liechtenstein, LT Lithuania, LU "
        "Luxembourg, LV Latvia, MC Monaco, MD Moldova, ME Montenegro, MK North Macedonia, MT "
        "Malta, NL Netherlands, NO Norway, PL Poland, PT Portugal, RO Romania, RS Serbia, RU "
        "Russia, SE Sweden, SI Slovenia, SJ Svalbard and Jan Mayen, SK Slovakia, SM San Marino, "
        "UA Ukraine, VA Vatican City"
    ),
    Region.NORTH_AMERICA: (
        "AG Antigua and Barbuda, AI Anguilla, AW Aruba, BB Barbados, BL Saint Barthélemy, BM "
        "Bermuda, BQ Caribbean Netherlands, BS Bahamas, BZ Belize, CA Canada, CR Costa Rica, CU "
        "Cuba, CW Curaçao, DM Dominica, DO Dominican Republic, GD Grenada, GL Greenland, GP "
        "Guadeloupe, GT Guatemala, HN Honduras, HT Haiti, JM Jamaica, KN Saint Kitts and Nevis, "
        "KY Cayman Islands, LC Saint Lucia, MF Saint Martin, MQ Martinique, MS Montserrat, MX "
        "Mexico, NI Nicaragua, PA Panama, PM Saint Pierre and Miquelon, PR Puerto Rico, SV El "
        "Salvador, SX Sint Maarten, TC Turks and Caicos Islands, TT Trinidad and Tobago, US "
        "United States, VC Saint Vincent and the Grenadines, VG British Virgin Islands, VI US "
        "Virgin Islands"
    ),
    Region.OCEANIA: (
        "AS American Samoa, AU Australia, CK Cook Islands, FJ Fiji, FM Micronesia, GU Guam, KI "
        "Kiribati, MH Marshall Islands, MP Northern Mariana Islands, NC New Caledonia, NF Norfolk "
        "Island, NR Nauru, NU Niue, NZ New Zealand, PF French Polynesia, PG Papua New Guinea, PN "
        "Pitcairn, PW Palau, SB Solomon Islands, TK Tokelau, TO Tonga, TV Tuvalu, UM US Outlying "
        "Islands, VU Vanuatu, WF Wallis and Futuna, WS Samoa"
    ),
    Region.SOUTH_AMERICA: (
        "AR Argentina, BO Bolivia, BR Brazil, CL Chile, CO Colombia, EC Ecuador, FK Falkland "
        "Islands, GF French Guiana, GY Guyana, PE Peru, PY Paraguay, SR Suriname, UY Uruguay, VE "
        "Venezuela"
    ),
}

#: by its two letters
NAMES: Mapping[str, str] = MappingProxyType(
    {one[:2]: one[3:] for told in _COUNTRIES.values() for one in told.split(", ")}
)
IN_REGION: Mapping[Region, frozenset[str]] = MappingProxyType(
    {region: frozenset(one[:2] for one in told.split(", ")) for region, told in _COUNTRIES.items()}
)
_REGIONS = {region.name.lower(): region for region in Region}


def country(text: str) -> str:
    """Return a country's two letters.

    :raises ValueError: when there is no such country.
    """
    code = text.strip().upper()
    if code not in NAMES:
        raise ValueError(text)
    return code


def region(text: str) -> Region:
    """Return a continent by its code or its name, such as ``EU`` or ``North_America``.

    :raises ValueError: when there is no such continent.
    """
    name = text.strip().lower().replace(" ", "_")
    return _REGIONS.get(name) or Region(name.upper())


def by_name() -> list[str]:
    """Return the two letters of every country in the order of their names."""
    return sorted(NAMES, key=NAMES.__getitem__)


def written(code: str) -> str:
    """Return a country as people read it: ``Germany (DE)``."""
    return f"{NAMES[code]} ({code})"
