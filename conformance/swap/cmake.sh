# A small project is configured and built, and ctest runs its tests.
mkdir project && cd project
cat > CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.18)
project(small C)
execute_process(COMMAND sh -c "grep -q /libuv.so.1 /proc/$PPID/maps" RESULT_VARIABLE absent)
if(absent)
  message(FATAL_ERROR "no libuv is loaded")
endif()
add_executable(small main.c)
enable_testing()
foreach(number RANGE 1 20)
  add_test(NAME test_${number} COMMAND small)
endforeach()
END
echo 'int main(void) { return 0; }' > main.c
cmake -S . -B build > log && cmake --build build --parallel 2 >> log
cd build && ctest --parallel 4 | grep '100% tests passed'
