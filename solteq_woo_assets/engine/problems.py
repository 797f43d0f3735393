"""The catalogue of problems: why a record is held back, what that means, and what to do about it.

Each row of the quarantine names one by its code. The documentation has a page of each, made from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One reason for holding a record back.

    :param code: what rows, the command line and the documentation call it; never changed once released
    :param title: what is wrong, in a few words
    :param meaning: what it means for the shop while it lasts
    :param mend: what to do, in the imperative
    """

    code: str
    title: str
    meaning: str
    mend: str


_CATALOGUE = [
    # Reading
    Problem(
        "document-unreadable",
        "A document of Solteq cannot be read",
        "A field of the document has a form that it never should have. The record stays in the store as it was; "
        "all others go on.",
        "correct the record in Solteq; it is read again when it changes",
    ),
    Problem(
        "order-unreadable",
        "An order of the store cannot be read",
        "A field of the order has a form that it never should have, often because a plugin wrote it. The order is "
        "not booked in Solteq; all others are.",
        "correct the order in the store; it is read again then",
    ),
    Problem(
        "store-product-unreadable",
        "A product of the store cannot be read",
        "A field of the product has a form that it never should have, often because a plugin wrote it. The product is "
        "compared as it was read before; all other products go on.",
        "correct the product in the store; it is read again then",
    ),
    Problem(
        "account-unreadable",
        "A customer account of the store cannot be read",
        "A field of the account has a form that it never should have, often because a plugin wrote it. The account is "
        "compared as it was read before; all other accounts go on.",
        "correct the account in the store; it is read again by reconcile_all, at night",
    ),
    # Products
    Problem(
        "code-missing",
        "A product has no code",
        "The code becomes the SKU, by which the two systems know a product. Without it the product is not sold online.",
        "give it a code in Solteq",
    ),
    Problem(
        "code-duplicate",
        "Several active products have the same code",
        "Nobody can tell which of them the store's product is, so none of them is written. Its page stays as it is "
        "while it shows the price of one of them, and otherwise goes off sale. WooCommerce does not tell upper from "
        "lower case: A1 and a1 are the same SKU.",
        "keep the code on one of them in Solteq",
    ),
    Problem(
        "sku-of-other-gtin",
        "The store's product with this SKU has another GTIN",
        "Two GTINs are two products, though the code of one is the SKU of the other. No flow writes to the store's "
        "product or makes another one until somebody decides which is right.",
        "correct the GTIN in Solteq or WooCommerce, or change the SKU in WooCommerce if it is another product",
    ),
    Problem(
        "sku-taken",
        "Another product of the store has this SKU already",
        "The code is new to the product, and the store's product with this SKU is another one. Neither is written, and "
        "products that wait for the SKU of this one are not written either.",
        "change the SKU of the other product in WooCommerce, or delete it, or correct the code in Solteq",
    ),
    Problem(
        "code-too-long",
        "A code is longer than a SKU may be",
        "WooCommerce takes SKUs of at most 100 characters.",
        "shorten the code in Solteq",
    ),
    Problem(
        "product-type-unknown",
        "The type of a product is not known",
        "Basic, Variant and Service are sold online; gift cards, deposits and custom products are left out on purpose. "
        "A product that is in the store goes off sale, as an inactive one (SOLTEQ_WOO_INACTIVE_PRODUCTS).",
        "use Basic, Variant or Service in Solteq",
    ),
    Problem(
        "price-missing",
        "A product has no price",
        "A product with the price 0 would be given away, so it is not written to the store. One that is there goes off "
        "sale, as an inactive one (SOLTEQ_WOO_INACTIVE_PRODUCTS), and comes back with a price.",
        "set a sales price in Solteq",
    ),
    Problem(
        "price-negative",
        "The price of a product is negative",
        "It is not written to the store. One that is there goes off sale, as an inactive one "
        "(SOLTEQ_WOO_INACTIVE_PRODUCTS), and comes back with a price.",
        "set a sales price in Solteq",
    ),
    Problem(
        "vat-rate-without-class",
        "A VAT rate has no tax class in the settings",
        "The settings do not say which of the store's tax classes has this rate, and a wrong one makes every receipt "
        "wrong. A new product is not written; one that is in the store keeps its tax class, and its other fields go "
        "on.",
        "add the rate to SOLTEQ_WOO_TAX_CLASSES",
    ),
    Problem(
        "tax-class-missing",
        "The store lacks a tax class",
        "The settings name a tax class that WooCommerce does not have. A new product is not written; one that is in "
        "the store keeps its tax class, and its other fields go on.",
        "add the class in WooCommerce (Settings > Tax), or change SOLTEQ_WOO_TAX_CLASSES",
    ),
    Problem(
        "gtin-invalid",
        "A GTIN is not valid",
        "It has other than 8, 12, 13 or 14 digits, a wrong check digit, or one digit over and over, as a placeholder "
        "has. The product is written without it, and is not looked for by it in the store.",
        "correct the GTIN in Solteq",
    ),
    Problem(
        "gtin-duplicate",
        "A GTIN is on several products",
        "WooCommerce takes each GTIN once. The product is written without it.",
        "correct the GTIN in Solteq",
    ),
    Problem(
        "discounted-price-invalid",
        "A discounted price is not above 0",
        "The product is written without a sale price.",
        "correct or remove the discounted price in Solteq",
    ),
    Problem(
        "variant-indistinguishable",
        "A variant cannot be told from another one of its model",
        "A shopper who chooses by attributes, such as size and colour, could get either. The variant is not written.",
        "give each variant attributes of its own in Solteq, such as size and colour",
    ),
    Problem(
        "model-number-is-code",
        "A model number is also the code of a product",
        "The model becomes a product of the store with the model number as its SKU, and a SKU is unique.",
        "give the model another number in Solteq",
    ),
    Problem(
        "variant-is-simple-product",
        "A variant is a product of its own in the store",
        "It goes on being sold as it is, with its price and stock, beside the model that it belongs to in Solteq.",
        "to sell it as a variation, delete that product in WooCommerce",
    ),
    Problem(
        "variation-of-other-product",
        "A variant is a variation of another product in the store",
        "It goes on being sold where it is, with its price and stock.",
        "to move it, delete the variation in WooCommerce",
    ),
    Problem(
        "sku-of-variable-product",
        "The store's product with this SKU has no price of its own",
        "Variable and grouped products have the prices of their parts, so the product of Solteq cannot be it.",
        "change its SKU in WooCommerce, or the code in Solteq",
    ),
    Problem(
        "product-in-bin",
        "The store's product is in the bin",
        "Somebody binned a product that is active in Solteq, and the settings say to leave it there.",
        "restore it in WooCommerce, or set SOLTEQ_WOO_BINNED_PRODUCTS=restore",
    ),
    # Campaigns
    Problem(
        "campaign-level-unknown",
        "The level of a campaign is not known",
        "Nobody can tell which products the campaign is for, so it sets no price.",
        "use Product, ProductGroup or Supplier in Solteq",
    ),
    Problem(
        "campaign-discount-unknown",
        "The kind of discount of a campaign is not known",
        "The campaign sets no price.",
        "use Percentage, Amount or FixedPrice in Solteq",
    ),
    Problem(
        "campaign-without-value",
        "A campaign takes nothing off",
        "Its value is missing, 0 or below. It sets no price.",
        "set its value in Solteq",
    ),
    Problem(
        "campaign-over-100-percent",
        "A campaign takes off more than 100 %",
        "It sets no price.",
        "set its value in Solteq",
    ),
    Problem(
        "campaign-ends-before-it-begins",
        "A campaign ends before it begins",
        "It never runs.",
        "correct its times in Solteq",
    ),
    Problem(
        "campaign-never-valid",
        "A campaign is never valid",
        "None of its weekdays and hours is between its beginning and its end, or a clock change skips all of its time. "
        "It never runs.",
        "correct its days, hours or times in Solteq",
    ),
    Problem(
        "campaign-without-targets",
        "A campaign has no targets",
        "It names no products, groups or suppliers, and sets no price.",
        "choose its products in Solteq",
    ),
    # Customers
    Problem(
        "email-on-several-customers",
        "An e-mail address is on several customers in Solteq",
        "Nobody can tell to whom the account in the store belongs, so nothing of it is written to either side.",
        "merge the customers in Solteq, or give each an e-mail address of its own",
    ),
    Problem(
        "email-taken",
        "An e-mail address is already somebody else's",
        "A customer of one side has the address of another person on the other side. Nothing of it is written.",
        "merge the customers in Solteq, or give each an e-mail address of its own",
    ),
    Problem(
        "account-of-staff",
        "A customer's account is that of somebody who runs the store",
        "The account has a role of staff, perhaps beside that of a customer. Its link stays, and nothing of it is "
        "written to either side: another e-mail address would hand the account to somebody else.",
        "take that role from the account in the store, and give the member of staff another account; the next run sees "
        "it",
    ),
    Problem(
        "id-contradicts-email",
        "An ExternalID and an e-mail address belong to different people",
        "A customer in Solteq has the ExternalID of an account, and by the e-mail address one of them is somebody "
        "else. Nothing of either is written: one person's account must not become another's. This happens when "
        "a store was installed again and counts its accounts from the beginning.",
        "if they are one person, give both the same e-mail address; if not, remove the ExternalID from the customer in "
        "Solteq; a store that was installed again needs another SOLTEQ_WOO_SHOP and a new database (solteq-woo rebind)",
    ),
    Problem(
        "linked-before",
        "A customer and an account that were linked before differ",
        "One of them was deleted, or could not be found, and is back. The values that both sides agreed on are "
        "forgotten by then, so nobody can tell whose value counts. Nothing of either is written.",
        "give both sides the same values in the fields that differ, and they are linked again; if they are not one "
        "person any more, dismiss the row",
    ),
    Problem(
        "email-invalid",
        "An e-mail address is not valid",
        "Most often it is a typo. The store does not take the address, so the account keeps the one that it has. The "
        "person's other fields are sent. Without an address no account can be made.",
        "correct the e-mail address where the reason says",
    ),
    Problem(
        "country-unknown",
        "A country is not known",
        "It is neither a code of ISO 3166, such as FI, nor a country's name in Finnish, Swedish or English. The store "
        "counts VAT by the code, so the country is not sent. The person's other fields are.",
        "correct the country where the reason says",
    ),
    Problem(
        "tax-code-invalid",
        "A tax code is not in international form",
        "The form is that of FI04904840, SE123456789001 or DK12345678. Solteq takes no other, so the tax code is not "
        "sent. The person's other fields are.",
        "correct the tax code where the reason says",
    ),
    Problem(
        "phone-unreadable",
        "A phone number is not valid, and the other side has one",
        "A text that cannot be dialled never replaces a number that can. The number of the other side stays. The "
        "person's other fields are sent.",
        "correct the phone number where the reason says, with the country's code, such as +358",
    ),
    # Sales
    Problem(
        "currency-foreign",
        "An order is not in euros",
        "Solteq's prices are in euros. The order is not booked.",
        "book it by hand",
    ),
    Problem(
        "line-without-quantity",
        "A line of an order has no quantity",
        "Nobody can tell how much was sold, so the order is not booked.",
        "correct the order in the store",
    ),
    Problem(
        "line-of-several-vat-rates",
        "A line of an order is taxed at several rates",
        "Solteq's lines have one VAT rate. The order is not booked.",
        "book the order by hand",
    ),
    Problem(
        "order-sums-differ",
        "The sums of an order do not agree",
        "Lines, VAT and total contradict each other, most often because a plugin changed the order. It is not booked.",
        "recalculate the order in the store",
    ),
    Problem(
        "payment-unclear",
        "The payments of an order are not clear",
        "The settings name fees or meta of the store's orders that are payments, such as gift cards. Their amounts do "
        "not agree with the order's lines and total. The order is not booked.",
        "correct the order in the store, or SOLTEQ_WOO_PAYMENT_FEES and SOLTEQ_WOO_PAYMENT_META",
    ),
    Problem(
        "old-order-refunded",
        "An order from before the first day was refunded or cancelled",
        "Its sale was booked before this integration booked sales, so the integration does not take it back. The money "
        "has left the store, and Solteq's books still have the whole sale.",
        "refund it in Solteq by hand and dismiss it here, or set SOLTEQ_WOO_OLD_ORDER_REFUNDS=book",
    ),
    Problem(
        "document-twice",
        "A document of an order would be booked twice",
        "Solteq has it already, or two orders would make it. Nothing of the order is sent; all others are.",
        "compare the order in the store with its sale in Solteq, correct what differs by hand, then dismiss the row",
    ),
    Problem(
        "order-deleted",
        "An order was deleted in the store after it was booked",
        "The sale stands in Solteq's books.",
        "restore it in the store, or refund it in Solteq; SOLTEQ_WOO_DELETED_ORDERS=reverse does so by itself",
    ),
    Problem(
        "order-booked-elsewhere",
        "An order that was booked by other means changed in the store",
        "Somebody dismissed the order and said that it was booked in Solteq by other means. It is not booked again, so "
        "a later refund or cancellation is not in Solteq's books unless somebody put it there.",
        "book the change in Solteq by the same means, and dismiss the order again with --booked-elsewhere; with "
        "--not-booked it is booked from here, whole",
    ),
    Problem(
        "erased-still-there",
        "Somebody was erased here, and Solteq or the store still has them",
        "Nothing is read, kept or sent of them. Another person with their e-mail address is not created on the side "
        "that still has them, since it takes each address once.",
        "erase them in Solteq and in the store, too",
    ),
    # Answers
    Problem(
        "write-refused",
        "The other side refused a write",
        "The reason has its words. The same write is not sent again by itself; all others go on.",
        "correct it in Solteq or in the store; it is sent again when it changes, or by the job retry_quarantined",
    ),
    Problem(
        "write-blocked",
        "Something in front of the other side refuses a write",
        "It answers 403, 406, 418 or a page of its own, while it lets others pass. Mostly it is a firewall or a "
        "security plugin that takes a word in a text for an attack. The reason has its words. The same write is not "
        "sent again by itself; all others go on.",
        "let this machine's address, or these requests, through the firewall, or change the text in Solteq or in the "
        "store; then run the job retry_quarantined",
    ),
    Problem(
        "write-fails",
        "The other side fails each time a write is sent",
        "It answers with an error of its own (5xx) or not at all, in three runs and more, while it takes others. The "
        "write is tried again ever more rarely, at least once a day; all others go on.",
        "look into the other side's log at the time of the failure: often a plugin crashes at this record; to try at "
        "once, run the job retry_quarantined",
    ),
    Problem(
        "sale-conflict",
        "Solteq has another order under this order's id",
        "Two shops book under the same SOLTEQ_WOO_SHOP, the store was installed again and counts its orders from the "
        "beginning, or the order was edited while the ledger was lost. Nothing of it is sent until that is solved.",
        "give one of the shops another SOLTEQ_WOO_SHOP and a new database, or correct the sale in Solteq; then "
        "solteq-woo retry sales looks again, and so does reconcile_all",
    ),
    Problem(
        "order-replaced",
        "The store has another order under a number that was known",
        "An order never changes when it was made. The store was installed again, or restored from a backup, and counts "
        "its orders from where it counted before; or somebody edited the order's date. The order as it was stays.",
        "set the order's date back if somebody edited it; a store that was installed again needs another "
        "SOLTEQ_WOO_SHOP and a new database (solteq-woo rebind)",
    ),
    Problem(
        "sale-refused",
        "Solteq refused a sale",
        "The reason has Solteq's words. The sale is not in its books, or not as the store has it, and the later "
        "documents of the same order wait.",
        "correct what Solteq objects to, then send it again: solteq-woo retry sales, or the job retry_quarantined",
    ),
]

PROBLEMS: Mapping[str, Problem] = {problem.code: problem for problem in _CATALOGUE}
"""Every problem by its code, in the order of the documentation."""
