#!/bin/sh
# Fetches uvloop's sources and compiles them against an installed libuv: build.sh FOLDER PREFIX.
set -eu
version=0.23.0
folder=$1 prefix=$2
mkdir -p "$folder"
cd "$folder"
PKG_CONFIG_PATH=$prefix/lib/pkgconfig
export PKG_CONFIG_PATH

[ -e "uvloop-$version.tar.gz" ] ||
  pip3 download -q --no-deps --no-build-isolation --no-binary uvloop "uvloop==$version"
rm -rf "uvloop-$version"
tar -xzf "uvloop-$version.tar.gz"
cd "uvloop-$version"
# Its own copy of libuv is not to be used by accident.
rm -rf vendor
CFLAGS="$(pkg-config --cflags libuv) -O1" LDFLAGS="$(pkg-config --libs-only-L libuv)" \
  python3 setup.py -q build_ext --inplace --use-system-libuv
ln -sfn "uvloop-$version" ../uvloop
