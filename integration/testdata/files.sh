# What people do with files, in the current directory. Prints what they would see; on a mount it must print just what
# it prints on a local disk.
set -eu
umask 022
show() { stat -c '%n %F mode=%a owner=%u:%g size=%s' "$@"; }

echo "- touch, ls, stat"
touch one two
ls
show one two
[ one -ot two ] || [ ! one -nt two ]

echo "- mkdir, rmdir"
mkdir -p d/e/f
rmdir d/e/f
show d d/e | sed 's/ size=.*//'
if rmdir d 2>/dev/null; then echo "rmdir of a full directory worked"; fi
if mkdir d 2>/dev/null; then echo "mkdir of an existing directory worked"; fi

echo "- write, cat, append, overwrite in the middle"
printf '0123456789' >file
cat file; echo
printf 'abc' >>file
cat file; echo
printf 'XY' | dd of=file bs=1 seek=4 conv=notrunc status=none
cat file; echo
printf 'tail' | dd of=file bs=1 seek=20 conv=notrunc status=none
od -c file | head -n 5

echo "- truncate"
truncate -s 5 file
cat file; echo
truncate -s 8 file
od -c file
: >file
show file

echo "- cp, mv"
head -c 300000 /dev/zero | tr '\0' 'z' >large
cp large d/copy
cmp large d/copy
cp -p large d/kept
mv d/copy d/moved
ls d
mv d/moved large2
mv large2 large
mkdir -p tree/a/b tree/c
echo deep >tree/a/b/deep
echo flat >tree/c/flat
mv tree moved-tree
cat moved-tree/a/b/deep moved-tree/c/flat
if [ -e tree ]; then echo "the old tree is still there"; fi
mkdir empty
mv moved-tree empty/
find empty | sort

echo "- links"
ln -s one sym
readlink sym
echo through >sym
cat one
ln -s nowhere dangling
if cat dangling 2>/dev/null; then echo "read a dangling link"; fi
ls -F

echo "- chmod, chown, touch -d"
chmod 640 one
chmod u+s,g-r two
show one two
if [ "$(id -u)" -eq 0 ]; then chown 12:34 one; show one; chown 0:0 one; fi
touch -d '2001-02-03 04:05:06.123456789 UTC' one
TZ=UTC stat -c '%y' one
touch -d '2010-10-10 UTC' d
TZ=UTC stat -c '%y' d

echo "- xattrs"
if command -v setfattr >/dev/null; then
	setfattr -n user.a -v 1 one
	setfattr -n user.b -v two one
	setfattr -x user.a one
	getfattr -d one 2>&1
	if getfattr -n user.a one 2>/dev/null; then echo "a removed xattr is there"; fi
fi

echo "- find, tar"
find . -type f | sort
find . -type l | sort
find . -type d | sort
tar cf ../x.tar .
mkdir unpacked
tar xpf ../x.tar -C unpacked
(cd unpacked && find . | sort && stat -c '%n %F %a %u:%g' one two d/kept sym && stat -c %Y one)
rm ../x.tar

echo "- rm"
rm one
if [ -e one ]; then echo "one is still there"; fi
rm -r unpacked empty d
ls
df . >/dev/null
exec 3<two
cat <&3
