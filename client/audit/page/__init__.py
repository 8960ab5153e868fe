"""An audit's report as one HTML file for people: no script, nothing fetched from anywhere, readable printed and in the
dark. It is made from what `Report.facts` says, so from the same as programs get.

markup    elements, with everything in them escaped
reasons   what a reason code means in plain words, and what to do about it
style     how it looks
chart     entries over time, by member
scope     what was checked, and what could not be
document  the page, section by section
"""

from client.audit.page.document import document

__all__ = ["document"]
