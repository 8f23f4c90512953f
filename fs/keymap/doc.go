// Package keymap maps paths to S3 keys and back. It is pure: nothing here asks a server.
//
// A path is what the user sees, below the mount's root: names joined by "/", "" for the root. PREFIX/a/b is the file
// "a/b", PREFIX/a/ marks the directory "a". Most names are their own key element; the rest follows three rules, all
// reversible, so that no key is hidden and none appears twice.
//
// 1. Names that S3 cannot carry. Keys are UTF-8, names are bytes. A byte that is not part of valid UTF-8 is stored as
// the rune U+E000+byte; runes U+E000..U+E0FF that are really in a name have their bytes stored that way. This is what
// s3fs's use_wtf8 does. The "$" of a name that ends in "_$folder$" is stored so too, as the plain suffix is an old
// directory marker. Control characters pass as they are: S3 takes them, s3fs writes them, and listings are asked for
// URL-encoded.
//
// 2. Key elements that no path can name get an alias:
//
//	element          name                         kind
//	"" (as in a//b)  ~pail-raw                    ".", "..", NUL bytes, a rule-1 form of nothing, an element that
//	"."              %2E~pail-raw                 looks like an alias: "%XX"-escaped, with the suffix ~pail-raw
//	"x~pail-raw"     x~pail-raw~pail-raw
//	over 255 bytes   AAA~pail-cont/BBB~pail-end   a chain: directories that stand for the first bytes of the element
//
// A chain's directories exist only as views (see Synthetic): they hold what begins with these bytes and has no shorter
// name. They have no marker, so nothing but such elements can be made in them.
//
// 3. An object "a" beside keys below "a/": the directory has the plain name, the object is the file "a~pail-file" (a
// chain ending in ~pail-file where that would pass 255 bytes). Which of the two names "a" has depends on its
// neighbours, so Path answers "a" and only a listing answers the alias; File maps both to the key "a". Whoever looks
// up a name that ClashAlias reports must see that the directory is there. Likewise a marker "a/" or "a_$folder$"
// that has bytes shows them as a file: "a/~pail-raw" and "a_$folder$~pail-raw".
//
// Names that end in one of the four suffixes and are no alias of anything are refused by CheckFile and CheckDir
// (ErrReserved), and keys over 1024 bytes (ErrTooLong). File and Dir of such a path are keys where nothing lives.
package keymap
